// Signed URLs for what no route of ours signs: single PUTs straight to the store, by the store's own credentials.
import { createHash, createHmac } from "node:crypto";

const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
const hex = (text) => createHash("sha256").update(text).digest("hex");

/** A URL that lets anybody PUT one object for an hour (AWS Signature Version 4, query parameters, unsigned payload). */
export function signedPut(store, key, now = new Date()) {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${time.slice(0, 8)}/${store.region}/s3/aws4_request`;
  const { host } = new URL(store.endpoint);
  const path = `/${store.bucket}/${key}`;
  const query = new URLSearchParams({
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${store.access}/${scope}`,
    "X-Amz-Date": time,
    "X-Amz-Expires": "3600",
    "X-Amz-SignedHeaders": "host",
  });
  const request = ["PUT", path, query.toString(), `host:${host}\n`, "host", "UNSIGNED-PAYLOAD"].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, hex(request)].join("\n");
  const signing = scope.split("/").reduce(hmac, "AWS4" + store.secret);
  return `${store.endpoint}${path}?${query}&X-Amz-Signature=${hmac(signing, text).toString("hex")}`;
}
