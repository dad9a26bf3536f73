package dicom

// VR is a value representation, the type of an element's value: two capital letters (PS3.5 6.2).
type VR string

// The value representations this package treats by name.
const (
	VRAttributeTag VR = "AT"
	VRDecimal      VR = "DS"
	VRInteger      VR = "IS"
	VRFloat32      VR = "FL"
	VRFloat64      VR = "FD"
	VRInt16        VR = "SS"
	VRInt32        VR = "SL"
	VRInt64        VR = "SV"
	VRUint16       VR = "US"
	VRUint32       VR = "UL"
	VRUint64       VR = "UV"
	VROtherByte    VR = "OB"
	VROtherWord    VR = "OW"
	VRPersonName   VR = "PN"
	VRSequence     VR = "SQ"
	VRUID          VR = "UI"
	VRUnknown      VR = "UN"
)

// trait is what the reader has to know of a VR.
type trait struct {
	vr      VR
	long    bool // explicit form has 2 reserved bytes and a 32-bit length (PS3.5 table 7.1-1)
	text    bool // a character string
	charset bool // text to which (0008,0005) applies (PS3.5 6.1.2.3)
	single  bool // text in which backslash is no delimiter (PS3.5 6.2: LT, ST, UT, UR)
	width   int  // bytes of one number of a binary VR, 0 otherwise
}

// traits are those of all VRs, found by the two letters as they stand in the file.
var traits = table(map[string]trait{
	"AE": {vr: "AE", text: true},
	"AS": {vr: "AS", text: true},
	"AT": {vr: VRAttributeTag, width: 2},
	"CS": {vr: "CS", text: true},
	"DA": {vr: "DA", text: true},
	"DS": {vr: VRDecimal, text: true},
	"DT": {vr: "DT", text: true},
	"FD": {vr: VRFloat64, width: 8},
	"FL": {vr: VRFloat32, width: 4},
	"IS": {vr: VRInteger, text: true},
	"LO": {vr: "LO", text: true, charset: true},
	"LT": {vr: "LT", text: true, charset: true, single: true},
	"OB": {vr: VROtherByte, long: true},
	"OD": {vr: "OD", long: true, width: 8},
	"OF": {vr: "OF", long: true, width: 4},
	"OL": {vr: "OL", long: true, width: 4},
	"OV": {vr: "OV", long: true, width: 8},
	"OW": {vr: VROtherWord, long: true, width: 2},
	"PN": {vr: VRPersonName, text: true, charset: true},
	"SH": {vr: "SH", text: true, charset: true},
	"SL": {vr: VRInt32, width: 4},
	"SQ": {vr: VRSequence, long: true},
	"SS": {vr: VRInt16, width: 2},
	"ST": {vr: "ST", text: true, charset: true, single: true},
	"SV": {vr: VRInt64, long: true, width: 8},
	"TM": {vr: "TM", text: true},
	"UC": {vr: "UC", long: true, text: true, charset: true},
	"UI": {vr: VRUID, text: true},
	"UL": {vr: VRUint32, width: 4},
	"UN": {vr: VRUnknown, long: true},
	"UR": {vr: "UR", long: true, text: true, single: true},
	"US": {vr: VRUint16, width: 2},
	"UT": {vr: "UT", long: true, text: true, charset: true, single: true},
	"UV": {vr: VRUint64, long: true, width: 8},
})

// traitTable holds a trait at 26·first + second letter; vr is "" where there is none.
type traitTable [26 * 26]trait

func table(known map[string]trait) *traitTable {
	var t traitTable
	for letters, one := range known {
		t[26*int(letters[0]-'A')+int(letters[1]-'A')] = one
	}
	return &t
}

// find returns the trait of the VR of these two letters; nobody changes it.
func (t *traitTable) find(first, second byte) (*trait, bool) {
	if !capital(first) || !capital(second) {
		return nil, false
	}
	one := &t[26*int(first-'A')+int(second-'A')]
	return one, one.vr != ""
}

// ofUnknown is the trait of UN.
var ofUnknown = &trait{vr: VRUnknown, long: true}

// traitOf returns the trait of a VR; of an unknown one the trait of UN. Nobody changes it.
func traitOf(vr VR) *trait {
	if len(vr) == 2 {
		if t, ok := traits.find(vr[0], vr[1]); ok {
			return t
		}
	}
	return ofUnknown
}
