package dicom

import "fmt"

// Tag is a data element tag: group in the upper 16 bits, element in the lower (PS3.5 7.1).
type Tag uint32

// MakeTag joins group and element.
func MakeTag(group, element uint16) Tag { return Tag(group)<<16 | Tag(element) }

// Group is the first half of the tag.
func (t Tag) Group() uint16 { return uint16(t >> 16) }

// Element is the second half of the tag.
func (t Tag) Element() uint16 { return uint16(t) }

// Private reports whether the element belongs to a manufacturer: the group is odd (PS3.5 7.8).
func (t Tag) Private() bool { return t>>16&1 == 1 }

// String is the tag as the standard prints it, "(0010,0020)".
func (t Tag) String() string { return fmt.Sprintf("(%04X,%04X)", t.Group(), t.Element()) }

// Hex is the tag as DICOM JSON writes it, "00100020" (PS3.18 F.2.2).
func (t Tag) Hex() string { return fmt.Sprintf("%08X", uint32(t)) }

// The elements this package reads by name. Any other is reached by its number.
const (
	TagTransferSyntaxUID          Tag = 0x00020010
	TagMediaStorageSOPClassUID    Tag = 0x00020002
	TagMediaStorageSOPInstanceUID Tag = 0x00020003
	TagDirectoryRecordSequence    Tag = 0x00041220
	TagSpecificCharacterSet       Tag = 0x00080005
	TagSOPClassUID                Tag = 0x00080016
	TagSOPInstanceUID             Tag = 0x00080018
	TagStudyDate                  Tag = 0x00080020
	TagStudyTime                  Tag = 0x00080030
	TagAccessionNumber            Tag = 0x00080050
	TagModality                   Tag = 0x00080060
	TagManufacturer               Tag = 0x00080070
	TagStudyDescription           Tag = 0x00081030
	TagSeriesDescription          Tag = 0x0008103E
	TagManufacturerModelName      Tag = 0x00081090
	TagPatientName                Tag = 0x00100010
	TagPatientID                  Tag = 0x00100020
	TagPatientBirthDate           Tag = 0x00100030
	TagPatientSex                 Tag = 0x00100040
	TagSliceThickness             Tag = 0x00180050
	TagSpacingBetweenSlices       Tag = 0x00180088
	TagStudyInstanceUID           Tag = 0x0020000D
	TagSeriesInstanceUID          Tag = 0x0020000E
	TagSeriesNumber               Tag = 0x00200011
	TagInstanceNumber             Tag = 0x00200013
	TagImagePositionPatient       Tag = 0x00200032
	TagImageOrientationPatient    Tag = 0x00200037
	TagPlanePositionSequence      Tag = 0x00209113
	TagPlaneOrientationSequence   Tag = 0x00209116
	TagSamplesPerPixel            Tag = 0x00280002
	TagPhotometricInterpretation  Tag = 0x00280004
	TagNumberOfFrames             Tag = 0x00280008
	TagRows                       Tag = 0x00280010
	TagColumns                    Tag = 0x00280011
	TagPixelSpacing               Tag = 0x00280030
	TagBitsAllocated              Tag = 0x00280100
	TagBitsStored                 Tag = 0x00280101
	TagPixelMeasuresSequence      Tag = 0x00289110
	TagGridFrameOffsetVector      Tag = 0x3004000C
	TagSharedFunctionalGroups     Tag = 0x52009229
	TagPerFrameFunctionalGroups   Tag = 0x52009230
	TagExtendedOffsetTable        Tag = 0x7FE00001
	TagExtendedOffsetTableLengths Tag = 0x7FE00002
	TagFloatPixelData             Tag = 0x7FE00008
	TagDoubleFloatPixelData       Tag = 0x7FE00009
	TagPixelData                  Tag = 0x7FE00010

	tagItem                 Tag = 0xFFFEE000
	tagItemDelimitation     Tag = 0xFFFEE00D
	tagSequenceDelimitation Tag = 0xFFFEE0DD
)

// isPixelData reports whether the tag carries the image of the object (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25).
func (t Tag) isPixelData() bool {
	return t == TagPixelData || t == TagFloatPixelData || t == TagDoubleFloatPixelData
}
