package web

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

func TestARequestWaitsForItsTurnAndNoLongerThanAnyoneWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := make(chan struct{}, 1)
		first, second := &turn{places: places}, &turn{places: places}
		if err := first.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		err := second.take(t.Context())
		var wait *waitError
		if caseload.KindOf(err) != caseload.Unavailable || !errors.As(err, &wait) || time.Since(begun) != turnWait {
			t.Fatalf("a full house answered %v after %v", err, time.Since(begun))
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := second.take(gone); !errors.Is(err, context.Canceled) {
			t.Fatalf("a client that left was answered %v", err)
		}
		first.leave()
		first.leave() // once more does no harm
		if err := second.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(places) != 1 {
			t.Fatalf("%d turns are held", len(places))
		}
	})
}

// A client that sends its body slowly must not keep the others waiting.
func TestATurnIsGivenBackWhileABodyIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := make(chan struct{}, 1)
		slow, quick := &turn{places: places}, &turn{places: places}
		if err := slow.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		reader, writer := io.Pipe()
		body := &turnBody{reader, t.Context(), slow}
		read := make(chan string)
		go func() {
			all, _ := io.ReadAll(body)
			read <- string(all)
		}()
		synctest.Wait() // the body is being waited for
		if err := quick.take(t.Context()); err != nil {
			t.Fatal("the slow client kept its turn: ", err)
		}
		quick.leave()
		_, _ = io.Copy(writer, strings.NewReader("late"))
		_ = writer.Close()
		if got := <-read; got != "late" || !slow.held {
			t.Fatalf("read %q, turn held: %v", got, slow.held)
		}
	})
}
