package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones of people's browsers, also where the machine has no database of them

	"golang.org/x/text/language"

	"dcdentals.com/caseload/ui"
)

// languages are those of the catalogue; the first is the one for everybody else.
var languages = []string{"en", "ko"}

// words is one language of the catalogue: key → text. "{name}" in a text is a place to fill; "|" parts the text for one
// from the text for any other number.
type words map[string]string

// catalogue returns all languages.
var catalogue = sync.OnceValue(func() map[string]words {
	var byKey map[string]map[string]string
	if err := json.Unmarshal(ui.Words(), &byKey); err != nil {
		panic("web: words.json: " + err.Error()) // compiled in
	}
	byLanguage := map[string]words{}
	for _, lang := range languages {
		byLanguage[lang] = words{}
		for key, texts := range byKey {
			byLanguage[lang][key] = texts[lang]
		}
	}
	return byLanguage
})

// text returns the text of key with each name filled by the value that follows it. A key that is missing shows itself.
func (w words) text(key string, pairs ...any) string {
	text, ok := w[key]
	if !ok {
		return key
	}
	return fill(text, pairs)
}

// count returns the text of key for the number, which fills {n}.
func (w words) count(key string, number int, pairs ...any) string {
	text, ok := w[key]
	if !ok {
		return key
	}
	if one, other, found := strings.Cut(text, "|"); found {
		if text = other; number == 1 {
			text = one
		}
	}
	return fill(text, append(pairs, "n", formatNumber(int64(number))))
}

func fill(text string, pairs []any) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%v}", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return text
}

// script returns the words the browser's part needs.
func (w words) script() map[string]string {
	chosen := map[string]string{}
	for key, text := range w {
		if rest, ok := strings.CutPrefix(key, "script."); ok {
			chosen[rest] = text
		}
	}
	return chosen
}

// locale is the language and the time zone one person reads in.
type locale struct {
	words
	lang string
	zone *time.Location
}

const (
	languageCookie = "caseload-language"
	zoneCookie     = "caseload-zone" // set by the script: only the browser knows its zone
)

// localeOf tells how the person reads: the language chosen on a page, else the browser's; the zone of the browser, else
// UTC.
func localeOf(r *http.Request) locale {
	l := locale{lang: languageOf(r), zone: time.UTC}
	l.words = catalogue()[l.lang]
	if cookie, err := r.Cookie(zoneCookie); err == nil {
		if name, err := url.QueryUnescape(cookie.Value); err == nil && name != "Local" && len(name) < 64 {
			if zone, err := time.LoadLocation(name); err == nil {
				l.zone = zone
			}
		}
	}
	return l
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Korean})

func languageOf(r *http.Request) string {
	if cookie, err := r.Cookie(languageCookie); err == nil && catalogue()[cookie.Value] != nil {
		return cookie.Value
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return languages[0]
	}
	_, index, _ := matcher.Match(tags...)
	return languages[index]
}

// switchLanguage keeps the language asked for by ?lang= and leads back to the same page without it. It tells whether
// it has answered.
func (s *Server) switchLanguage(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	lang := query.Get("lang")
	if r.Method != http.MethodGet || catalogue()[lang] == nil {
		return false
	}
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: lang, Path: "/", MaxAge: int(365 * 24 * time.Hour / time.Second),
		HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteLaxMode,
	})
	query.Del("lang")
	target := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
	return true
}
