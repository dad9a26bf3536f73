// The few elements pre-flight reads, and what a walker must know of value representations (PS3.5 6.2, table 7.1-1). Tags
// are numbers: group in the upper 16 bits, element in the lower.

export interface Trait {
  long: boolean; // explicit form has 2 reserved bytes and a 32-bit length
  text?: "charset" | "plain"; // a character string; (0008,0005) applies to the first kind
  number?: "uint16" | "int16" | "uint32" | "int32" | "float" | "double";
}

const short: Trait = { long: false };
const long: Trait = { long: true };
const words: Trait = { long: false, text: "charset" };
const code: Trait = { long: false, text: "plain" };

/** By the two letters as they stand in the file. */
export const traits: ReadonlyMap<string, Trait> = new Map([
  ...["AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"].map((vr): [string, Trait] => [vr, code]),
  ...["LO", "LT", "PN", "SH", "ST"].map((vr): [string, Trait] => [vr, words]),
  ...["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UN", "UR", "UV"].map((vr): [string, Trait] => [vr, long]),
  ["AT", short],
  ["UC", { long: true, text: "charset" }],
  ["UT", { long: true, text: "charset" }],
  ["FD", { long: false, number: "double" }],
  ["FL", { long: false, number: "float" }],
  ["SL", { long: false, number: "int32" }],
  ["SS", { long: false, number: "int16" }],
  ["UL", { long: false, number: "uint32" }],
  ["US", { long: false, number: "uint16" }],
]);

export const Tag = {
  MetaLength: 0x00020000,
  MediaStorageSOPClassUID: 0x00020002,
  MediaStorageSOPInstanceUID: 0x00020003,
  TransferSyntaxUID: 0x00020010,
  DirectoryRecordSequence: 0x00041220,
  SpecificCharacterSet: 0x00080005,
  SOPClassUID: 0x00080016,
  SOPInstanceUID: 0x00080018,
  StudyDate: 0x00080020,
  Modality: 0x00080060,
  StudyDescription: 0x00081030,
  SeriesDescription: 0x0008103e,
  PatientName: 0x00100010,
  PatientID: 0x00100020,
  PatientBirthDate: 0x00100030,
  SliceThickness: 0x00180050,
  SpacingBetweenSlices: 0x00180088,
  StudyInstanceUID: 0x0020000d,
  SeriesInstanceUID: 0x0020000e,
  SeriesNumber: 0x00200011,
  InstanceNumber: 0x00200013,
  ImagePositionPatient: 0x00200032,
  ImageOrientationPatient: 0x00200037,
  PlanePositionSequence: 0x00209113,
  PlaneOrientationSequence: 0x00209116,
  NumberOfFrames: 0x00280008,
  Rows: 0x00280010,
  Columns: 0x00280011,
  PixelMeasuresSequence: 0x00289110,
  GridFrameOffsetVector: 0x3004000c,
  SharedFunctionalGroups: 0x52009229,
  PerFrameFunctionalGroups: 0x52009230,
  FloatPixelData: 0x7fe00008,
  DoubleFloatPixelData: 0x7fe00009,
  PixelData: 0x7fe00010,
  Item: 0xfffee000,
  ItemDelimitation: 0xfffee00d,
  SequenceDelimitation: 0xfffee0dd,
} as const;

/** The representation of each element that is kept (PS3.6); every other element is stepped over. */
export const wanted: ReadonlyMap<number, string> = new Map<number, string>([
  [Tag.MetaLength, "UL"],
  [Tag.MediaStorageSOPClassUID, "UI"],
  [Tag.MediaStorageSOPInstanceUID, "UI"],
  [Tag.TransferSyntaxUID, "UI"],
  [Tag.DirectoryRecordSequence, "SQ"],
  [Tag.SpecificCharacterSet, "CS"],
  [Tag.SOPClassUID, "UI"],
  [Tag.SOPInstanceUID, "UI"],
  [Tag.StudyDate, "DA"],
  [Tag.Modality, "CS"],
  [Tag.StudyDescription, "LO"],
  [Tag.SeriesDescription, "LO"],
  [Tag.PatientName, "PN"],
  [Tag.PatientID, "LO"],
  [Tag.PatientBirthDate, "DA"],
  [Tag.SliceThickness, "DS"],
  [Tag.SpacingBetweenSlices, "DS"],
  [Tag.StudyInstanceUID, "UI"],
  [Tag.SeriesInstanceUID, "UI"],
  [Tag.SeriesNumber, "IS"],
  [Tag.InstanceNumber, "IS"],
  [Tag.ImagePositionPatient, "DS"],
  [Tag.ImageOrientationPatient, "DS"],
  [Tag.PlanePositionSequence, "SQ"],
  [Tag.PlaneOrientationSequence, "SQ"],
  [Tag.NumberOfFrames, "IS"],
  [Tag.Rows, "US"],
  [Tag.Columns, "US"],
  [Tag.PixelMeasuresSequence, "SQ"],
  [Tag.GridFrameOffsetVector, "DS"],
  [Tag.SharedFunctionalGroups, "SQ"],
  [Tag.PerFrameFunctionalGroups, "SQ"],
]);

export const groupOf = (tag: number): number => Math.floor(tag / 0x10000);

export const isPixelData = (tag: number): boolean =>
  tag === Tag.PixelData || tag === Tag.FloatPixelData || tag === Tag.DoubleFloatPixelData;

/** The group of a manufacturer's own elements is odd (PS3.5 7.8). */
export const isPrivate = (tag: number): boolean => (groupOf(tag) & 1) === 1;
