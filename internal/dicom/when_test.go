package dicom_test

import (
	"testing"
	"time"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

func TestDatesAreReadInTodaysAndInOldForms(t *testing.T) {
	for text, want := range map[string]string{
		"20240229": "2024-02-29", "2024.02.29": "2024-02-29", "2024-02-29": "2024-02-29", " 20240229 ": "2024-02-29", "00010101": "0001-01-01",
		"20230229": "", "20241301": "", "20240100": "", "2024": "", "2024.02-29": "", "2024022９": "", "+2024022": "", "": "", "20240229120000": "",
	} {
		got, ok := dicom.ParseDate(text)
		if ok != (want != "") || ok && got.Format("2006-01-02") != want {
			t.Errorf("%q is %v, %v", text, got, ok)
		}
	}
}

func TestTimesAreReadInTodaysAndInOldForms(t *testing.T) {
	const none = -1
	for text, want := range map[string]time.Duration{
		"101530": 10*time.Hour + 15*time.Minute + 30*time.Second, "10:15:30": 10*time.Hour + 15*time.Minute + 30*time.Second,
		"1015": 10*time.Hour + 15*time.Minute, "10": 10 * time.Hour, "235960": 24*time.Hour - time.Second, "10:15": 10*time.Hour + 15*time.Minute,
		"101530.5": 10*time.Hour + 15*time.Minute + 30500*time.Millisecond, "000000.000001": time.Microsecond,
		"24": none, "1060": none, "1": none, "101530.": none, "101530.1234567": none, "1015.5": none, "10:1:30": none, "": none, "-1": none, "10:15:30:00": none,
	} {
		got, ok := dicom.ParseTime(text)
		if ok != (want != none) || ok && got != want {
			t.Errorf("%q is %v, %v", text, got, ok)
		}
	}
}

func TestOldDatesAreDescribedInTodaysForm(t *testing.T) {
	in := dicom.Describe(read(t, dicomtest.CT(dicomtest.CTOptions{Tamper: func(b []byte) []byte {
		return replace("DA\x08\x0020260102", "DA\x0a\x002026.01.02")(replace("TM\x06\x00101500", "TM\x08\x0010:15:00")(replace("DA\x08\x0019700101", "DA\x08\x0019700101")(b)))
	}})))
	if in.StudyDate != "20260102" || in.StudyTime != "101500" || in.PatientBirthDate != "19700101" || len(in.Warnings) > 0 {
		t.Errorf("%q %q %q %v", in.StudyDate, in.StudyTime, in.PatientBirthDate, in.Warnings)
	}
	in = dicom.Describe(read(t, dicomtest.CT(dicomtest.CTOptions{Tamper: replace("DA\x08\x0020260102", "DA\x08\x002026Jan2")})))
	if in.StudyDate != "2026Jan2" || !hasWarning(in.Warnings, dicom.WarnValue) {
		t.Errorf("%q %v", in.StudyDate, in.Warnings)
	}
}
