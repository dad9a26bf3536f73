// The header walker: every way of writing a header, character sets, hostile input; and, where they are at hand, the
// corpus of known truth and the Go reader's values on it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { geometry } from "../../src/preflight/geometry.js";
import { look } from "../../src/preflight/look.js";
import { displayName } from "../../src/preflight/person.js";
import { BIG, ct, DEFLATED, Encoder, EXPLICIT, file, IMPLICIT } from "./dicomfile.js";

const never = new AbortController().signal;
const lookAt = (bytes: Buffer) => look(new Blob([bytes as Uint8Array<ArrayBuffer>]), never);

async function facts(bytes: Buffer) {
  const found = await lookAt(bytes);
  assert.equal(found.kind, "dicom");
  return found.facts!;
}

for (const [name, syntax] of Object.entries({ EXPLICIT, IMPLICIT, BIG, DEFLATED })) {
  test(`a header in ${name.toLowerCase()} encoding is read`, async () => {
    for (const bare of [{}, { preamble: false }, { preamble: false, meta: false }]) {
      if (syntax === DEFLATED && "meta" in bare) continue; // nothing says that it is deflated
      const f = await facts(ct({ syntax, number: 7, ...bare }));
      assert.equal(f.patientName, "Phantom^Jaw");
      assert.equal(f.series, "2.25.20");
      assert.deepEqual([f.rows, f.columns, f.frames, f.number], [16, 16, 1, 7]);
      assert.deepEqual(f.position, [0, 0, 3.5]);
      assert.deepEqual(f.orientation, [1, 0, 0, 0, 1, 0]);
      assert.equal(f.modality, "CT");
    }
  });
}

test("sequences of both kinds, private groups and long values are stepped over", async () => {
  for (const syntax of [EXPLICIT, IMPLICIT, BIG]) {
    for (const undefinedLength of [true, false]) {
      const e = new Encoder(syntax);
      e.text(0x00080018, "UI", "2.25.1");
      e.sequence(0x00081140, undefinedLength, (item) => {
        item.text(0x00081150, "UI", "1.2.3");
        item.text(0x0020000e, "UI", "9.9.9"); // not the object's own
        item.sequence(0x00081199, true, (inner) => inner.text(0x00081155, "UI", "4"));
      });
      e.raw(0x00091001, "OB", Buffer.alloc(200_000, 1));
      e.text(0x0020000e, "UI", "2.25.20").us(0x00280010, 40);
      const f = await facts(file(e));
      assert.deepEqual([f.series, f.rows], ["2.25.20", 40]);
      assert.equal(f.cutShort, false);
    }
  }
});

test("functional groups give the places of the frames", async () => {
  const f = await facts(
    ct({
      frames: 5,
      position: null,
      before: (e) => {
        e.sequence(0x52009229, false, (shared) =>
          shared.sequence(0x00209116, false, (o) => o.text(0x00200037, "DS", 1, 0, 0, 0, 1, 0)),
        );
        const frame = (i: number) => (item: Encoder) =>
          void item.sequence(0x00209113, true, (p) => p.text(0x00200032, "DS", 1, 2, i * 0.4));
        e.sequence(0x52009230, true, ...[0, 1, 2, 3, 4].map(frame));
      },
    }),
  );
  assert.equal(f.framePositions?.length, 5);
  const stack = geometry([f]);
  assert.ok(Math.abs(stack.spacing - 0.4) < 1e-9);
  assert.deepEqual([stack.images, stack.missing], [5, []]);
});

test("a directory of a medium is none of the images", async () => {
  const e = new Encoder().sequence(0x00041220, true, (item) => item.text(0x00041430, "CS", "IMAGE"));
  assert.equal((await lookAt(file(e))).kind, "dicomdir");
});

/** The examples of PS3.5 annexes H to K, and what clinics send; bytes as Latin-1. */
const names: [name: string, bytes: string, charset: string[] | undefined, want: string, guessed: boolean][] = [
  [
    "PS3.5 H.3.1",
    "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    ["", "ISO 2022 IR 87"],
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    false,
  ],
  [
    "PS3.5 H.3.2",
    "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
    ["ISO 2022 IR 13", "ISO 2022 IR 87"],
    "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
    false,
  ],
  [
    "PS3.5 I.2",
    "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    ["", "ISO 2022 IR 149"],
    "Hong^Gildong=洪^吉洞=홍^길동",
    false,
  ],
  ["Korean, escape not repeated", "\x1b$)C\xc8\xab^\xb1\xe6\xb5\xbf", ["", "ISO 2022 IR 149"], "홍^길동", false],
  ["Korean, no escape at all", "\xc8\xab^\xb1\xe6\xb5\xbf", ["ISO 2022 IR 149"], "홍^길동", false],
  ["PS3.5 J.2, GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", ["GB18030"], "Wang^XiaoDong=王^小东", false],
  ["GBK with a backslash as second byte", "\xc0\x5c^\xd0\xa1", ["GBK"], "繺^小", false],
  [
    "PS3.5 K.2, GB2312",
    "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
    ["", "ISO 2022 IR 58"],
    "Zhang^XiaoDong=张^小东",
    false,
  ],
  ["JIS with a caret inside a character", "\x1b$B\x30\x5e\x1b(B^A", ["", "ISO 2022 IR 87"], "緯^A", false],
  ["German", "M\xfcller^J\xfcrgen", ["ISO_IR 100"], "Müller^Jürgen", false],
  ["German, spelled oddly", "M\xfcller^J\xfcrgen", ["ISO-IR 100"], "Müller^Jürgen", false],
  ["Cyrillic", "\xbb\xee\xdaceu", ["ISO_IR 144"], "Люкceu", false],
  ["two single-byte sets", "\x1b-FA\xe1^\x1b-A\xe4", ["", "ISO 2022 IR 126", "ISO 2022 IR 100"], "Aα^ä", false],
  ["no set, but UTF-8", Buffer.from("Müller").toString("latin1"), undefined, "Müller", true],
  ["no set, Latin-1", "M\xfcller", undefined, "Müller", true],
  ["UTF-8 stated, Latin-1 written", "M\xfcller", ["ISO_IR 192"], "Müller", true],
  ["an escape nobody knows", "A\x1b%ZB", ["", "ISO 2022 IR 87"], "A%ZB", true],
];
for (const [name, bytes, charset, want, guessed] of names) {
  test(`names in their character set: ${name}`, async () => {
    const f = await facts(ct({ patient: bytes, ...(charset && { charset }) }));
    assert.equal(f.patientName, want);
    assert.equal(f.guessed, guessed);
  });
}

test("names are shown as people read them", () => {
  for (const [raw, want] of Object.entries({
    "Müller^Jürgen": "Müller, Jürgen",
    "Adams^John Robert^Q^Rev.^PhD": "Adams, Rev. John Robert Q, PhD",
    "Hong^Gildong=洪^吉洞=홍^길동": "Hong, Gildong (홍길동, 洪吉洞)",
    "임^대석": "임대석",
    "홍^Gildong": "홍 Gildong",
    "임^대석^^^님": "임대석 님",
    "Yamada^Tarou=山田^太郎=やまだ^たろう": "Yamada, Tarou (山田 太郎, やまだ たろう)",
    "=山田^太郎": "山田太郎",
    "^^^^": "",
  })) {
    assert.equal(displayName(raw), want);
  }
});

test("whatever is broken, a header is read in bounded time and nothing is thrown", async () => {
  let seed = 20261125;
  const random = (n: number) => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % n;
  const originals = [EXPLICIT, IMPLICIT, BIG, DEFLATED].map((syntax) =>
    ct({
      syntax,
      charset: ["", "ISO 2022 IR 149"],
      patient: "\x1b$)C\xc8\xab^\xb1\xe6\xb5\xbf",
      before: (e) =>
        void e.sequence(0x52009230, true, (f) =>
          f.sequence(0x00209113, false, (p) => p.text(0x00200032, "DS", 1, 2, 3)),
        ),
    }),
  );
  for (let round = 0; round < 4000; round++) {
    let bytes = Buffer.from(originals[round % originals.length]!);
    for (let change = random(6); change >= 0; change--) {
      const at = 130 + random(Math.min(700, bytes.length - 130));
      const values = [0, 0xff, 0xfe, 0x80, random(256)];
      if (random(3) === 0) bytes.fill(0xff, at, Math.min(bytes.length, at + 4));
      else bytes[at] = values[random(values.length)]!;
      if (random(20) === 0)
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + random(9)))]);
      if (bytes.length < 140) break;
    }
    await lookAt(bytes);
  }
});

test("what a file claims costs nothing: depth, lengths, elements", async () => {
  const deep = Buffer.concat(
    Array.from(
      { length: 50_000 },
      () => new Encoder().head(0x00081140, "SQ", 0xffffffff).head(0xfffee000, "", 0xffffffff).bytes,
    ),
  );
  const many = Buffer.concat(Array.from({ length: 300_000 }, () => new Encoder().head(0x00091000, "UN", 0).bytes));
  const large = new Encoder().head(0x00100010, "PN", 0xfffe).head(0x00091001, "OB", 0xfffffffe).bytes;
  const ours = new Encoder().text(0x00080018, "UI", "2.25.1").bytes;
  for (const body of [deep, many, large, Buffer.concat([deep, deep])]) {
    for (const syntax of [EXPLICIT, DEFLATED]) {
      const e = new Encoder(syntax).add(ours, body);
      const f = await facts(file(e));
      assert.equal(f.instance, "2.25.1", "what was readable is lost");
      assert.equal(f.cutShort, true);
    }
  }
});

interface CorpusFile {
  file: string;
  expect: string;
  truth: Record<string, unknown>;
}

const root = fileURLToPath(new URL("../../../", import.meta.url)); // of the repository, from the compiled test
const manifest = process.env.CASELOAD_CORPUS ?? join(root, "../shared/data/dicom/manifest.json");
const mustRun = (process.env.CASELOAD_TEST_MUST_RUN ?? "").split(",").map((name) => name.trim());

function corpus(t: { skip(why: string): void }): { folder: string; files: CorpusFile[] } | undefined {
  if (existsSync(manifest)) {
    return { folder: dirname(manifest), files: JSON.parse(readFileSync(manifest, "utf8")).files };
  }
  assert.ok(!mustRun.includes("corpus"), "CASELOAD_TEST_MUST_RUN names the corpus");
  t.skip("SKIPPED: corpus: no DICOM corpus (set CASELOAD_CORPUS to its manifest.json)");
  return undefined;
}

test("every file of the corpus is read as its truth says", async (t) => {
  const known = corpus(t);
  for (const { file, expect, truth } of known?.files ?? []) {
    const found = await lookAt(readFileSync(join(known!.folder, file)));
    if (expect === "archive") assert.equal(found.kind, "zip", file);
    if (expect === "dicomdir") assert.equal(found.kind, "dicomdir", file);
    if (expect === "not_dicom") assert.notEqual(found.kind, "dicom", file);
    if (!expect.startsWith("record") || Object.values(truth).every((value) => value === null)) continue;
    assert.equal(found.kind, "dicom", file);
    const f = found.facts!;
    const have = {
      PatientName: f.patientName,
      PatientID: f.patientID,
      StudyInstanceUID: f.study,
      SeriesInstanceUID: f.series,
      SOPInstanceUID: f.instance,
      Modality: f.modality,
      Rows: f.rows,
      Columns: f.columns,
      NumberOfFrames: f.frames,
      TransferSyntaxUID: f.syntax,
    };
    for (const [field, value] of Object.entries(have)) {
      const want = truth[field];
      if (want === null || want === undefined) continue;
      if (field === "NumberOfFrames" && !Number.isInteger(Number(want))) continue; // written "1A"
      const plain = field === "PatientName" ? String(want).replace(/[\^= ]+$/, "") : String(want);
      assert.equal(String(value), plain, `${file}: ${field}`);
    }
  }
});

test("the server's reader finds the same in the corpus", async (t) => {
  const known = corpus(t);
  if (!known) return;
  if (spawnSync("go", ["version"]).status !== 0) {
    assert.ok(!mustRun.includes("go"), "CASELOAD_TEST_MUST_RUN names go");
    return t.skip("SKIPPED: go: the Go tools are not installed");
  }
  const paths = known.files.filter(({ expect }) => expect !== "archive").map(({ file }) => join(known.folder, file));
  const said = execFileSync("go", ["run", "./internal/dicom/dicomtest/cmd", ...paths], { cwd: root, encoding: "utf8" });
  const lines = said.trim().split("\n");
  assert.equal(lines.length, paths.length);
  for (const [i, line] of lines.entries()) {
    const theirs = JSON.parse(line);
    const ours = await lookAt(readFileSync(paths[i]!));
    if (theirs === null || theirs.Directory) {
      assert.notEqual(ours.kind, "dicom", paths[i]);
      continue;
    }
    const f = ours.facts;
    const mine = f && {
      Directory: false,
      PatientName: f.patientName,
      PatientID: f.patientID,
      Study: f.study,
      Series: f.series,
      Instance: f.instance,
      Modality: f.modality,
      Number: f.number,
      Rows: f.rows,
      Columns: f.columns,
      Frames: f.frames,
      Position: f.position ?? null,
      Orientation: f.orientation ?? null,
      FramePositions: f.framePositions ?? null,
    };
    theirs.PatientName = theirs.PatientName.replace(/[\^= ]+$/, "");
    assert.deepEqual(mine, theirs, paths[i]);
  }
});

test("of an image's file the header is read, in one slice, and not its pixels", async () => {
  const bytes = new Uint8Array(1 << 20);
  bytes.set(ct({}));
  const blob = new Blob([bytes]);
  const read: number[] = [];
  const slice = blob.slice.bind(blob);
  blob.slice = (from = 0, to = blob.size) => (read.push(to - from), slice(from, to));
  blob.arrayBuffer = () => assert.fail("read whole");
  assert.equal((await look(blob, never)).kind, "dicom");
  assert.deepEqual(read, [32 << 10]);
});
