package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// trial is one request that the store is to refuse.
type trial struct {
	name  string // "length": the finding is store.guard.length
	guard string // the line of the table
	tried string
	ask   ask
	level Level  // when it is not refused
	means string // likewise
}

// longer is the trial body with one byte more.
var longer = append(append([]byte{}, trialBody...), '!')

func crcOf(body []byte) string { return caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, body)) }

// signed tries what the store refuses of a PUT by a signed address. Without the first one being accepted the refusals of
// the others would say nothing.
func (t *trials) signed(ctx context.Context) []Finding {
	key := t.key("signed")
	right := ask{as: asBrowser, method: http.MethodPut, key: key, body: trialBody, header: putHeader(trialBody)}
	got := t.send(ctx, right)
	f := Finding{Check: "store.signed", Level: Fine, Tried: "Putting an object by a signed address, as browsers do.", Got: got.taken()}
	if !got.ok() {
		f.Level, f.Got = Failure, got.saidWhole()
		f.Means = "The store takes the server's own requests, but none by a signed address: nobody can send a large file."
		f.Fix = &Fix{Say: "Look at AWS_S3_PUBLIC_ENDPOINT_URL; a proxy before the store must pass Host, path, query and PUT unchanged, and a bucket policy may forbid signed addresses (s3:authType, s3:signatureAge)."}
		return []Finding{f}
	}
	wrong := func(change func(a *ask)) ask {
		a := right
		a.key = t.key("wrong")
		change(&a)
		return a
	}
	found := append(append([]Finding{f}, t.large(ctx)...), t.late(ctx)...)
	for _, each := range []trial{
		{
			"length", "signed length", "Sending one byte more than was signed.",
			wrong(func(a *ask) {
				a.body, a.length, a.header = longer, len(trialBody), map[string]string{"Content-Type": opaque}
			}), Failure,
			"The store does not hold browsers to the signed length: anybody with a link can send any size.",
		},
		{
			"checksum", "signed checksum", "Sending other bytes than the signed checksum's.",
			wrong(func(a *ask) { a.body = flipped(trialBody) }), Failure,
			"The store keeps bytes that do not belong to their checksum: a scan damaged on its way would be taken for whole.",
		},
		{
			"once", "write once", "Sending to the same signed address again.", right, Failure,
			"The store ignores If-None-Match: whoever has a link can overwrite a file that was verified.",
		},
		{
			"expiry", "expired address", "Sending to a signed address whose time is over.",
			wrong(func(a *ask) { a.at, a.lifetime = time.Now().Add(-2*time.Hour), time.Minute }), Failure,
			"The store takes expired addresses: a link that leaked once stays good for ever.",
		},
		{
			"key", "address of one object", "Sending to another object than was signed.",
			wrong(func(a *ask) { a.moved = t.key("moved") }), Failure,
			"The store does not check the signature: anybody can write and read everything.",
		},
	} {
		found = append(found, t.refuses(ctx, each))
	}
	return append(found, t.reads(ctx, key)...)
}

const opaque = "application/octet-stream"

// largeBody is more than proxies let through that were not told to (nginx: 1 MiB), and less than the smallest part.
const largeBody = 2 << 20 // bytes

// large sends what is as large as proxies before a store often refuse. Before AWS's own stands none.
// https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size
func (t *trials) large(ctx context.Context) []Finding {
	if t.o.AWS || t.o.Embedded {
		return nil
	}
	body := bytes.Repeat([]byte{0x2a}, largeBody)
	got := t.send(ctx, ask{as: asBrowser, method: http.MethodPut, key: t.key("large"), body: body, header: putHeader(body)})
	f := Finding{Check: "store.large", Level: Fine, Tried: "Sending 2 MiB by a signed address, as a part of a large file is sent.", Got: got.taken()}
	switch {
	case got.ok():
	case got.isFull():
		f = full(got, f.Tried)
	case got.status == http.StatusRequestEntityTooLarge:
		f.Level, f.Got = Failure, got.said()
		f.Means = "A proxy before the store takes no bodies of that size: no part of a large file gets through."
		f.Fix = &Fix{Say: "Whoever runs the proxy lets bodies of any size through and does not buffer them (nginx: client_max_body_size 0 and proxy_request_buffering off; Caddy: no request_body max_size)."}
	default:
		f.Level, f.Got = Failure, got.saidWhole()
		f.Means = "Small objects are taken by signed addresses, larger ones are not: no part of a large file gets through."
		f.Fix = &Fix{Say: "Look at what stands between: a proxy's limits of size and time, a virus scanner, a slow line."}
	}
	return []Finding{f}
}

// late sends to an address that was signed a while ago and is good for a moment more, as the last file of a long drop does.
// A bucket's policy may let signatures age less (https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html).
func (t *trials) late(ctx context.Context) []Finding {
	const left = time.Minute
	if t.o.Expiry <= 2*left {
		return nil
	}
	got := t.send(ctx, ask{as: asBrowser, method: http.MethodPut, key: t.key("late"), body: trialBody, header: putHeader(trialBody), at: time.Now().Add(left - t.o.Expiry), lifetime: t.o.Expiry})
	f := Finding{Check: "store.late", Level: Fine, Tried: "Sending to a signed address shortly before its time is over.", Got: got.taken()}
	if !got.ok() && !got.isBusy() {
		f.Level, f.Got = Warning, got.saidWhole()
		f.Means = "The store takes signed addresses for a shorter time than CASELOAD_URL_EXPIRY (" + shortly(t.o.Expiry) + "): what is sent late is refused and has to be signed again."
		f.Fix = &Fix{Say: "Set CASELOAD_URL_EXPIRY to what the bucket's policy lets signatures age (s3:signatureAge), or whoever manages the bucket lets them age longer."}
	}
	return []Finding{f}
}

func flipped(body []byte) []byte {
	other := append([]byte{}, body...)
	other[len(other)/2] ^= 1
	return other
}

// refuses carries out one trial.
func (t *trials) refuses(ctx context.Context, of trial) Finding {
	return t.judged(of, t.send(ctx, of.ask))
}

// alike are guards of parts that are one and the same with a guard of whole objects in every store: when that one does not
// hold, the other is one line more of the table and nothing more to be mended.
var alike = map[string]string{"part-length": "length", "part-checksum": "checksum", "complete-once": "once"}

// judged is the finding of a trial that was carried out.
func (t *trials) judged(of trial, got answer) Finding {
	f := judged(of, got)
	if f.Level == Failure {
		if first := alike[of.name]; slices.Contains(t.fallen, first) {
			f.Level, f.Means, f.Fix = Note, "It is the same as store.guard."+first+", in parts.", nil
		}
		t.fallen = append(t.fallen, of.name)
	}
	return f
}

func judged(of trial, got answer) Finding {
	f := Finding{
		Check: "store.guard." + of.name, Level: Fine, Tried: of.tried, Got: got.turned(),
		Guard: &Guard{Name: of.guard, Holds: got.refused(), Says: got.said()},
	}
	switch {
	case got.refused():
	case got.ok():
		f.Level, f.Got, f.Means = of.level, got.taken(), of.means
		if of.level != Note {
			f.Fix = &Fix{Say: "Ask the store's operator for a version that enforces it, or use another store; a proxy that adds or drops headers between can be the cause too."}
		}
	default:
		f.Level, f.Got = Warning, got.saidWhole()
		f.Means = "Neither accepted nor refused: what the store enforces here is not known."
		f.Fix = &Fix{Say: "Run this again; if it stays, ask the store's operator."}
	}
	return f
}

// reads tries what reading rests on: ranges, and the pinning to what was verified.
func (t *trials) reads(ctx context.Context, key caseload.ObjectKey) []Finding {
	got := t.send(ctx, ask{as: asServer, method: http.MethodGet, key: key, header: map[string]string{"Range": "bytes=9-14"}})
	ranged := Finding{
		Check: "store.guard.range", Level: Fine, Tried: "Reading six bytes out of the middle.", Got: got.taken(),
		Guard: &Guard{Name: "ranges", Holds: got.status == http.StatusPartialContent && string(got.body) == string(trialBody[9:15]), Says: got.said()},
	}
	if !ranged.Guard.Holds && got.isDenied() {
		return nil // s3:GetObject says why
	}
	if got.isAltered() {
		return []Finding{takenAway("Range", "Reading six bytes out of the middle.", got.said()+".")}
	}
	if !ranged.Guard.Holds {
		ranged.Level, ranged.Got, ranged.Means = Failure, got.saidWhole(), "The store does not give ranges: headers of large scans cannot be read without fetching all of them."
		ranged.Fix = &Fix{Say: "Ask whoever runs the store, or a proxy or cache before it, to pass the Range header on."}
	}
	pinned := t.refuses(ctx, trial{
		"pinned", "pinned reading", "Reading on the condition of another ETag.",
		ask{as: asServer, method: http.MethodGet, key: key, header: map[string]string{"If-Match": `"00000000000000000000000000000000"`}},
		Failure,
		"The store ignores If-Match: a file exchanged behind our back would be read as the verified one.",
	})
	return append([]Finding{ranged, pinned}, t.packed(ctx, key)...)
}

// packed reads as browsers do, which take compressed answers: one that was compressed on the way has another size than
// the file, and ranges of it mean nothing.
func (t *trials) packed(ctx context.Context, key caseload.ObjectKey) []Finding {
	got := t.send(ctx, ask{as: asBrowser, method: http.MethodGet, key: key, sent: http.Header{"Accept-Encoding": {"gzip, br"}}})
	if encoding := got.header.Get("Content-Encoding"); got.ok() && encoding != "" {
		return []Finding{{
			Check: "store.packed", Level: Failure, Tried: "Reading an object as browsers do, which take compressed answers too.", Got: "It came with Content-Encoding: " + encoding + ".",
			Means: "Something between compresses what the store answers: sizes and ranges no longer fit, and downloads break off or cannot be resumed.",
			Fix:   &Fix{Say: "Whoever runs the proxy or CDN before the store switches compression off for it (nginx: gzip off; CloudFront: Compress objects automatically: no)."},
		}}
	}
	return nil
}

// form tries the posting of a form, as stock Uppy sends single files.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
func (t *trials) form(ctx context.Context) []Finding {
	size := int64(len(trialBody))
	f := Finding{Check: "store.form", Level: Fine, Tried: "Posting a file as an HTML form, as stock Uppy does."}
	got := t.post(ctx, t.key("form"), size, trialBody)
	f.Got = got.taken()
	if !got.ok() {
		f.Level, f.Got, f.Means = Note, got.said(), "The store takes no forms; stock Uppy sends single files by PUT instead."
		if !got.absent() {
			f.Got = got.saidWhole()
			f.Means = "The store refuses forms, so stock Uppy cannot send single files below its multipart size; Caseload's own pages never post forms. " +
				"A bucket policy may forbid them (s3:authType), a proxy may not pass them on, and versitygw 1.8.0 takes them from its first account only."
		}
		return []Finding{f}
	}
	more := judged(trial{
		name: "form-size", guard: "size of a form", tried: "Posting a form with one byte more than its policy allows.", level: Failure,
		means: "The store does not hold forms to their size: stock Uppy's limit is the client's word.",
	}, t.post(ctx, t.key("form-size"), size, longer))
	return []Finding{f, more}
}

// post sends a form that may hold up to most bytes.
func (t *trials) post(ctx context.Context, key caseload.ObjectKey, most int64, body []byte) answer {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	signed, err := t.o.Store.Form(ctx, key, most)
	if err != nil {
		return answer{err: err}
	}
	if signed.Method != http.MethodPost {
		return answer{status: http.StatusNotImplemented}
	}
	r, err := formRequest(ctx, signed, body)
	if err != nil {
		return answer{err: err}
	}
	got := t.do(r)
	t.remember(got, http.MethodPost, key, "")
	return got
}

// parts tries a multipart upload from its first part to its end, and every guard on the way.
func (t *trials) parts(ctx context.Context) []Finding {
	key := t.key("parts")
	id := t.begin(ctx, key)
	if id == "" {
		return []Finding{{
			Check: "store.multipart", Level: Failure, Tried: "Beginning a multipart upload with CRC-64/NVME checksums.", Got: "It was refused.",
			Means: "Large files cannot be sent: the store takes no multipart uploads with CRC-64/NVME.",
			Fix:   &Fix{Say: "Ask the store's operator for a version that knows CRC-64/NVME (AWS, MinIO and versitygw do)."},
		}}
	}
	part := func(change func(a *ask)) ask {
		a := ask{
			as: asBrowser, method: http.MethodPut, key: key, query: "partNumber=1&" + uploadQuery(id), body: trialBody,
			header: map[string]string{"X-Amz-Checksum-Crc64nvme": crcOf(trialBody)},
		}
		change(&a)
		return a
	}
	found := []Finding{
		t.refuses(ctx, trial{
			"part-length", "length of a part", "Sending a part with one byte more than was signed.",
			part(func(a *ask) { a.body, a.length, a.header = longer, len(trialBody), nil }), Failure,
			"The store does not hold parts to their signed length: limits of size are the client's word.",
		}),
		t.refuses(ctx, trial{
			"part-checksum", "checksum of a part", "Sending a part with other bytes than the signed checksum's.",
			part(func(a *ask) { a.body = flipped(trialBody) }), Failure,
			"The store keeps parts that do not belong to their checksum: a scan damaged on its way would be taken for whole.",
		}),
	}
	sent := t.send(ctx, part(func(*ask) {}))
	if !sent.ok() {
		return append(found, Finding{
			Check: "store.multipart", Level: Failure, Tried: "Sending a part by a signed address, as browsers do.", Got: sent.saidWhole(),
			Means: "Parts of large files are refused.",
			Fix:   &Fix{Say: "A proxy before the store must pass Host, path, query and PUT unchanged."},
		})
	}
	return append(found, t.completes(ctx, key, id)...)
}

// completes tries the end of an upload whose one part has been sent.
func (t *trials) completes(ctx context.Context, key caseload.ObjectKey, id string) []Finding {
	etag := t.etagOf(ctx, key, id)
	size := int64(len(trialBody))
	var found []Finding
	for _, each := range []struct {
		trial
		size int64
		crc  string
	}{
		{trial{
			name: "complete-size", guard: "size of the whole", tried: "Completing with another size than the parts'.", level: Note,
			means: "The store does not look at the whole size; Caseload compares it itself before a file counts as stored.",
		}, size + 1, crcOf(trialBody)},
		{trial{
			name: "complete-checksum", guard: "checksum of the whole", tried: "Completing with another checksum than the parts'.", level: Note,
			means: "The store does not look at the checksum of the whole; Caseload compares it itself before a file counts as stored.",
		}, size, crcOf(longer)},
	} {
		got := t.complete(ctx, key, id, etag, each.size, each.crc)
		found = append(found, t.judged(each.trial, got))
		if got.ok() { // the upload is used up
			key = t.key("parts-" + each.name)
			if id, etag = t.again(ctx, key); id == "" {
				return found
			}
		}
	}
	got := t.complete(ctx, key, id, etag, size, crcOf(trialBody))
	whole := Finding{Check: "store.multipart", Level: Fine, Tried: "Sending an upload in parts and completing it.", Got: got.taken()}
	if !got.ok() {
		whole.Level, whole.Got, whole.Means = Failure, got.saidWhole(), "Large files cannot be completed."
		whole.Fix = &Fix{Say: "Look up the code in the store's documentation, then run this again."}
		return append(found, whole)
	}
	found = append(found, whole)
	repeated := t.complete(ctx, key, id, etag, size, crcOf(trialBody))
	found = append(found, Finding{
		Check: "store.guard.complete-again", Level: Fine, Tried: "Completing it a second time.", Got: "It answers " + repeated.said() + ", and the object stays as it is.",
		Guard: &Guard{Name: "completing twice is harmless", Holds: repeated.ok() || repeated.refused(), Says: repeated.said()},
	})
	if id, etag = t.again(ctx, key); id != "" {
		found = append(found, t.judged(trial{
			name: "complete-once", guard: "write once, in parts", tried: "Completing another upload over the same object.", level: Failure,
			means: "The store ignores If-None-Match when an upload is completed: a file that was verified can be overwritten.",
		}, t.complete(ctx, key, id, etag, size, crcOf(trialBody))))
	}
	return found
}

// again begins an upload and sends its one part; id "" when that fails.
func (t *trials) again(ctx context.Context, key caseload.ObjectKey) (id, etag string) {
	if id = t.begin(ctx, key); id == "" {
		return "", ""
	}
	got := t.send(ctx, ask{
		as: asServer, method: http.MethodPut, key: key, query: "partNumber=1&" + uploadQuery(id), body: trialBody,
		header: map[string]string{"X-Amz-Checksum-Crc64nvme": crcOf(trialBody)},
	})
	if !got.ok() {
		return "", ""
	}
	return id, t.etagOf(ctx, key, id)
}

// complete ends an upload of one part as the program does.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func (t *trials) complete(ctx context.Context, key caseload.ObjectKey, id, etag string, size int64, crc string) answer {
	body := fmt.Sprintf(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>1</PartNumber><ETag>%s</ETag><ChecksumCRC64NVME>%s</ChecksumCRC64NVME></Part></CompleteMultipartUpload>`,
		strings.ReplaceAll(etag, `"`, "&quot;"), crcOf(trialBody))
	return t.send(ctx, ask{as: asServer, method: http.MethodPost, key: key, query: uploadQuery(id), body: []byte(body), header: map[string]string{
		"If-None-Match": "*", "X-Amz-Mp-Object-Size": fmt.Sprint(size), "X-Amz-Checksum-Crc64nvme": crc, "X-Amz-Checksum-Type": "FULL_OBJECT",
	}})
}
