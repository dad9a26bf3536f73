package main

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// How a watch finds the case of what it sends.
const (
	caseFromName   = "name"   // of the file or subfolder: "NUMBER" or "NUMBER_PATIENT"
	caseFromFolder = "folder" // a subfolder's whole name is the number
)

// numbered splits "2026-118_Kim Minsu" and "2026-118 Kim Minsu" into number and patient.
var numbered = regexp.MustCompile(`^([^\s_]+)[\s_]*(.*)$`)

// caseNamed returns the case's number and the patient's label that an entry's name stands for.
func caseNamed(from, name string, dir bool) (number, patient string) {
	if from == caseFromFolder {
		return name, ""
	}
	if !dir {
		name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	parts := numbered.FindStringSubmatch(strings.TrimSpace(name))
	if parts == nil {
		return name, ""
	}
	return parts[1], strings.TrimSpace(strings.ReplaceAll(parts[2], "_", " "))
}

// findOrOpen returns the case of that number; it is opened when there is none.
func findOrOpen(ctx context.Context, client *api.Client, number, patient string) (found api.Case, opened bool, err error) {
	found, err = findCase(ctx, client, number)
	if caseload.KindOf(err) != caseload.NotFound {
		return found, false, err
	}
	found, err = client.CreateCase(ctx, api.NewCase{Number: number, Patient: patient})
	if caseload.KindOf(err) == caseload.Conflict { // somebody was faster, or an answer was lost
		found, err = findCase(ctx, client, number)
		return found, false, err
	}
	return found, err == nil, err
}
