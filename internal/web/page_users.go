package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/caseload"
)

// usersPage is the people of the organization and the form that adds one.
type usersPage struct {
	Rows    []userRow
	Roles   []roleChoice
	New     newUserForm
	Changed string // id of the user whose change was refused
	Problem *formProblem
}

type userRow struct {
	ID, Name, Email string
	Role            string
	RoleText        string
	Roles           []roleChoice
	Disabled, Self  bool
	Seen            moment
}

type roleChoice struct {
	Value, Label, Help string
	Chosen             bool
}

type newUserForm struct {
	Name, Email string
	Problem     *formProblem
}

// listUsers shows the people of the organization.
func (s *Server) listUsers(w http.ResponseWriter, r *http.Request) error {
	return s.showUsers(w, r, http.StatusOK, usersPage{Roles: localeOf(r).roles(caseload.Member)})
}

func (s *Server) showUsers(w http.ResponseWriter, r *http.Request, status int, page usersPage) error {
	l, user := localeOf(r), s.user(r)
	users, err := s.Store.Users(r.Context(), user)
	if err != nil {
		return err
	}
	for _, u := range users {
		page.Rows = append(page.Rows, userRow{
			ID: string(u.ID), Name: u.Name, Email: u.Email, Role: string(u.Role), RoleText: l.text("role." + string(u.Role)),
			Roles: l.roles(u.Role), Disabled: u.Disabled, Self: u.ID == user.ID, Seen: l.when(u.LastSeenAt, s.Now()),
		})
	}
	return s.render(w, r, status, "users.html", page)
}

// roles are the choices of a role field.
func (l locale) roles(chosen caseload.Role) []roleChoice {
	var choices []roleChoice
	for _, role := range caseload.Roles() {
		choices = append(choices, roleChoice{
			string(role), l.text("role." + string(role)), l.text("role." + string(role) + ".help"), role == chosen,
		})
	}
	return choices
}

// createUser adds a person to the organization.
func (s *Server) createUser(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	u := caseload.User{Name: field(r, "name"), Email: field(r, "email"), Role: caseload.Role(field(r, "role"))}
	if _, err := s.newUser(r, u, r.PostFormValue("password")); err != nil {
		problem, ok := asFormProblem(err)
		if !ok {
			return err
		}
		return s.showUsers(w, r, problem.Status, usersPage{
			Roles: localeOf(r).roles(caseload.Role(field(r, "role"))),
			New:   newUserForm{field(r, "name"), field(r, "email"), problem},
		})
	}
	http.Redirect(w, r, "/users", http.StatusSeeOther)
	return nil
}

// changeUser changes a person's name and role, or shuts him out.
func (s *Server) changeUser(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := userID(r)
	if err != nil {
		return err
	}
	u := caseload.User{Name: field(r, "name"), Role: caseload.Role(field(r, "role"))}
	if err = cleanUser(&u); err == nil {
		err = s.Store.ChangeUser(r.Context(), s.user(r), id, u.Name, u.Role, field(r, "disabled") != "")
	}
	if err != nil {
		problem, ok := asFormProblem(err)
		if !ok {
			return err
		}
		return s.showUsers(w, r, problem.Status, usersPage{
			Roles: localeOf(r).roles(caseload.Member), Changed: string(id), Problem: problem,
		})
	}
	http.Redirect(w, r, "/users", http.StatusSeeOther)
	return nil
}
