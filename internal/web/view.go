package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/ui"
)

// view is what every page template gets. Data is the page's own part.
type view struct {
	Lang     string
	Assets   string // address of the folder of assets
	Section  string // the entry of the navigation that is open
	User     caseload.User
	SignedIn bool
	Zone     string            // time zone the times are told in
	Script   map[string]string // the words the script needs
	Here     string            // this page's own address, for the links that change the language
	Data     any
}

// render answers with a page in the language the person reads.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	if s.switchLanguage(w, r) {
		return nil
	}
	l := localeOf(r)
	page, ok := pages(l.lang)[name]
	if !ok {
		return fmt.Errorf("there is no template %s in %s", name, l.lang)
	}
	user := s.user(r)
	v := view{
		Lang: l.lang, Assets: "/assets/" + ui.Sum(), Section: section(r.URL.Path), User: user, SignedIn: user.ID != "",
		Zone: l.zone.String(), Script: l.script(), Here: r.URL.Path, Data: data,
	}
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, "layout", v); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", l.lang)
	h.Add("Vary", "Cookie, Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a browser that has left sees nothing
	return nil
}

// section is the first segment of the path: the entry of the navigation a page belongs to. A file or drop belongs to its
// case.
func section(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first == "files" || first == "drops" || first == "instances" {
		return "cases"
	}
	return first
}

// pages returns the parsed templates of a language by file name. They are parsed once.
func pages(lang string) map[string]*template.Template {
	return parsedPages()[lang]
}

var parsedPages = sync.OnceValue(func() map[string]map[string]*template.Template {
	byLanguage := map[string]map[string]*template.Template{}
	for _, lang := range languages {
		byLanguage[lang] = parsePages(locale{words: catalogue()[lang], lang: lang})
	}
	return byLanguage
})

// sharedTemplates are what every page is made of besides its own file.
var sharedTemplates = []string{"layout.html", "pieces.html", "versions.html"}

// parsePages parses every template with the layout and the shared pieces, its words bound to one language. It panics
// when a template is wrong: they are compiled in.
func parsePages(l locale) map[string]*template.Template {
	functions := template.FuncMap{"t": l.text, "n": l.count, "said": l.said}
	shared := template.Must(template.New("").Funcs(functions).ParseFS(ui.Templates(), sharedTemplates...))
	names, err := fs.Glob(ui.Templates(), "*.html")
	if err != nil {
		panic("web: " + err.Error()) // a constant, valid pattern
	}
	parsed := map[string]*template.Template{}
	for _, name := range names {
		if !slices.Contains(sharedTemplates, name) {
			parsed[name] = template.Must(template.Must(shared.Clone()).ParseFS(ui.Templates(), name))
		}
	}
	return parsed
}
