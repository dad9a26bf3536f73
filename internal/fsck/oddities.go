package fsck

import (
	"context"

	"dcdentals.com/caseload/internal/caseload"
)

// odd says an oddity of the database and mends it where that is asked for and can be done.
func (s *Service) odd(ctx context.Context, r *Report, o caseload.Oddity) error {
	said := oddities[o.Kind]
	found := Finding{Kind: Kind(o.Kind), Text: said.text, Advice: said.advice}
	if said.text == "" {
		found.Text = string(o.Kind)
	}
	if o.ID != string(o.File) {
		found.Text += " (" + o.ID + ")"
	}
	if s.Repair {
		var err error
		if found.Repaired, err = s.Rows.MendOddity(ctx, o); err != nil {
			return err
		}
	}
	f := caseload.File{ID: o.File, Case: o.Case}
	if f.ID == "" && f.Case != "" {
		number, err := s.Rows.CaseNumber(ctx, o.Case)
		if err != nil && caseload.KindOf(err) != caseload.NotFound {
			return err
		}
		found.Case = number
	}
	return s.say(ctx, r, f, found)
}

// oddities is what is said of each kind.
var oddities = map[caseload.OddityKind]struct{ text, advice string }{
	caseload.UploadOverdue: {
		"an upload whose deadline was more than a day ago",
		"the sweep does not run or cannot: is a process with workers up (`serve` or `worker`), and does its log speak of the sweep?",
	},
	caseload.ReadingOverdue: {
		"a stored file that nobody has read for more than a day",
		"no worker runs, or none can reach the store: look at /readyz and at the log of `serve` or `worker`",
	},
	caseload.IntentOverdue: {
		"a delete-intent that was due more than a day ago",
		"the sweep does not run, or the store refuses to erase (s3:DeleteObject): look at the log for \"erase\"",
	},
	caseload.IntentOfLive: {
		"a delete-intent for the object of a live file",
		"it will be cancelled when its time comes, never carried out; `caseload fsck --repair` cancels it now",
	},
	caseload.FileOfDeletedCase: {
		"a live file in a deleted case",
		"nobody can see it; please report this, with the file's events",
	},
	caseload.VersionsOutOfRow: {
		"the versions of a file of which not exactly the latest is shown as such",
		"`caseload fsck --repair` puts them in order",
	},
	caseload.VersionOfNothing: {
		"a version of a file that does not exist",
		"it can be seen and downloaded; please report this, with the file's events",
	},
	caseload.ImagesOfNothing: {
		"images of a deleted file",
		"they are shown nowhere; please report this, with the file's events",
	},
	caseload.PreviewOfNothing: {
		"a preview of what is gone",
		"`caseload fsck --repair` removes it",
	},
	caseload.PreviewIncomplete: {
		"a preview that is said to be made and has no picture",
		"`caseload fsck --repair` has it made again",
	},
	caseload.PreviewDamaged: {
		"a preview whose bytes are not those that were made",
		"the database's disk may be failing: look at it first, then `caseload fsck --repair` has the preview made again",
	},
}
