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

// traits is keyed by the two letters as they stand in the file.
var traits = map[[2]byte]trait{
	{'A', 'E'}: {vr: "AE", text: true},
	{'A', 'S'}: {vr: "AS", text: true},
	{'A', 'T'}: {vr: VRAttributeTag, width: 2},
	{'C', 'S'}: {vr: "CS", text: true},
	{'D', 'A'}: {vr: "DA", text: true},
	{'D', 'S'}: {vr: VRDecimal, text: true},
	{'D', 'T'}: {vr: "DT", text: true},
	{'F', 'D'}: {vr: VRFloat64, width: 8},
	{'F', 'L'}: {vr: VRFloat32, width: 4},
	{'I', 'S'}: {vr: VRInteger, text: true},
	{'L', 'O'}: {vr: "LO", text: true, charset: true},
	{'L', 'T'}: {vr: "LT", text: true, charset: true, single: true},
	{'O', 'B'}: {vr: VROtherByte, long: true},
	{'O', 'D'}: {vr: "OD", long: true, width: 8},
	{'O', 'F'}: {vr: "OF", long: true, width: 4},
	{'O', 'L'}: {vr: "OL", long: true, width: 4},
	{'O', 'V'}: {vr: "OV", long: true, width: 8},
	{'O', 'W'}: {vr: VROtherWord, long: true, width: 2},
	{'P', 'N'}: {vr: VRPersonName, text: true, charset: true},
	{'S', 'H'}: {vr: "SH", text: true, charset: true},
	{'S', 'L'}: {vr: VRInt32, width: 4},
	{'S', 'Q'}: {vr: VRSequence, long: true},
	{'S', 'S'}: {vr: VRInt16, width: 2},
	{'S', 'T'}: {vr: "ST", text: true, charset: true, single: true},
	{'S', 'V'}: {vr: VRInt64, long: true, width: 8},
	{'T', 'M'}: {vr: "TM", text: true},
	{'U', 'C'}: {vr: "UC", long: true, text: true, charset: true},
	{'U', 'I'}: {vr: VRUID, text: true},
	{'U', 'L'}: {vr: VRUint32, width: 4},
	{'U', 'N'}: {vr: VRUnknown, long: true},
	{'U', 'R'}: {vr: "UR", long: true, text: true, single: true},
	{'U', 'S'}: {vr: VRUint16, width: 2},
	{'U', 'T'}: {vr: "UT", long: true, text: true, charset: true, single: true},
	{'U', 'V'}: {vr: VRUint64, long: true, width: 8},
}

// traitOf returns the trait of a VR; of an unknown one the trait of UN.
func traitOf(vr VR) trait {
	if len(vr) == 2 {
		if t, ok := traits[[2]byte{vr[0], vr[1]}]; ok {
			return t
		}
	}
	return trait{vr: VRUnknown, long: true}
}
