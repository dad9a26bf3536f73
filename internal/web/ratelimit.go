package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dcdentals.com/caseload/internal/caseload"
)

// rateLimiter bounds how often one user, or one address that nobody is signed in from, asks. It is generous: a thousand
// files planned at once are signed and completed one by one.
type rateLimiter struct {
	perUser float64

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// forgetAfter is how long an unused bucket is kept; by then it is full again.
const forgetAfter = 5 * time.Minute

// burstSeconds is how many seconds' worth of requests may come at once.
const burstSeconds = 4

func newRateLimiter(perUser float64) *rateLimiter {
	return &rateLimiter{perUser: perUser, buckets: map[string]*bucket{}, swept: time.Now()}
}

// allow takes one request out of the caller's bucket, or answers TooMany with the time to wait.
func (l *rateLimiter) allow(c caller, address string) error {
	key, perSecond := "user:"+string(c.user.ID), l.perUser
	if !c.known() {
		key, perSecond = "address:"+address, l.perUser/5
	}
	reservation := l.take(key, perSecond).Reserve()
	wait := reservation.Delay()
	if reservation.OK() && wait == 0 {
		return nil
	}
	reservation.Cancel()
	return retryAfter(caseload.Errorf(caseload.TooMany, "Too many requests at once.").WithHint("Wait a moment, then go on."), wait)
}

func (l *rateLimiter) take(key string, perSecond float64) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.swept) > forgetAfter {
		for k, b := range l.buckets {
			if now.Sub(b.used) > forgetAfter {
				delete(l.buckets, k)
			}
		}
		l.swept = now
	}
	b := l.buckets[key]
	if b == nil {
		b = &bucket{limiter: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond*burstSeconds)))}
		l.buckets[key] = b
	}
	b.used = now
	return b.limiter
}
