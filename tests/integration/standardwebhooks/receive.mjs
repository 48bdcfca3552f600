// A receiver that trusts nothing but the reference library of Standard Webhooks. It listens on a free
// port of 127.0.0.1, says `listening PORT`, and of every request one line of JSON: which event it
// was, whether each secret of POSTRIDER_SECRETS (separated by spaces) verifies it, and whether the
// library refuses the same request with a changed body, timestamp or id, or without its signature.
// It runs until a signal ends it.

import http from "node:http";
import { Webhook } from "standardwebhooks";

const secrets = process.env.POSTRIDER_SECRETS.split(" ");

function verifies(secret, body, headers) {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch (error) {
    return false;
  }
}

function report(body, headers) {
  const known = secrets.filter((secret) => verifies(secret, body, headers));
  const refused = (changedBody, changedHeaders) =>
    known.every((secret) => !verifies(secret, changedBody, { ...headers, ...changedHeaders }));
  const changed = Buffer.from(body);
  changed[changed.length - 2] ^= 1;
  const time = Number(headers["webhook-timestamp"]);
  return {
    id: headers["webhook-id"],
    type: JSON.parse(body).type,
    attempt: Number(headers["postrider-attempt"]),
    verified: secrets.map((secret) => known.includes(secret)),
    refusesChangedBody: refused(changed.toString(), {}),
    refusesChangedTimestamp: refused(body, { "webhook-timestamp": String(time + 1) }),
    refusesChangedId: refused(body, { "webhook-id": headers["webhook-id"] + "x" }),
    refusesMissingSignature: refused(body, { "webhook-signature": undefined }),
  };
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    console.log(JSON.stringify(report(Buffer.concat(chunks).toString(), request.headers)));
    response.end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
