// Package objectstore keeps the bytes: it speaks S3 to AWS or any compatible store, signs the requests that browsers
// send there themselves, and runs the embedded store (versitygw) that answers under our own address when no other store
// is configured. It implements the Objects interfaces of the verbs and knows nothing of users, cases, SQL or pages.
//
// For the operator. One bucket is used and only objects with keys of our own making are written: flat, random, 33
// characters. Which permissions the credentials need, and for what, is said by package doctor (`caseload bucket policy
// print`); setting up a bucket needs others (`--principal setup`). Every object is written once (If-None-Match), with a
// CRC-64/NVME checksum that the store verifies. No ACL, tag or user metadata is ever sent. A direct upload of n parts
// costs n + 4 requests, a small one 2.
//
// Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html and
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html.
package objectstore
