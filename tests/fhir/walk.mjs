// Two clients that others wrote walk through /fhir, and find the same rows in /api: node walk.mjs ADDRESS PASSWORD
import assert from "node:assert/strict";
import { validate } from "./validate.mjs";

const { Client } = await import("fhir-kit-client");
const { MedplumClient } = await import("@medplum/core");

const [address, password] = process.argv.slice(2);
const base = `${address}/fhir`;

let token;
async function api(method, path, body) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(`${address}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  return answer.json();
}
await api("POST", "auth/register/", { username: "walker", email: "walker@example.org", password });
token = (await api("POST", "auth/login/", { username: "walker", password })).access;
assert(token, "nobody could log in");

let seen = 0;
function right(resource) {
  assert.deepEqual(validate(resource), [], JSON.stringify(resource));
  seen++;
  return resource;
}
async function status(call) {
  try {
    await call();
  } catch (error) {
    right(error.response.data);
    return error.response.status;
  }
  return 200;
}

const resourceType = "Patient";
const kit = new Client({ baseUrl: base, customHeaders: { Authorization: `Bearer ${token}` } });
right(await kit.capabilityStatement());
const sent = { resourceType, identifier: [{ system: "urn:clinic:file", value: "kit-1" }], name: [{ text: "Åsa Lindström" }], birthDate: "1958-03-14", gender: "female" };
const made = right(await kit.create({ resourceType, body: sent }));
for (let i = 0; i < 4; i++) await kit.create({ resourceType, body: { resourceType, name: [{ text: `Lindqvist ${i}` }] } });
const first = right(await kit.search({ resourceType, searchParams: { name: "lind", _count: 2 } }));
assert.equal(first.total, 5);
const ids = new Set();
for (let page = first; page; page = await kit.nextPage({ bundle: page })) {
  right(page).entry.forEach((e) => ids.add(e.resource.id));
}
assert.equal(ids.size, 5);
const read = right(await kit.read({ resourceType, id: made.id }));
const ifMatch = (version) => ({ headers: { "If-Match": `W/"${version}"` } });
const body = { ...read, telecom: [{ system: "phone", value: "030 123" }] };
const changed = right(await kit.update({ resourceType, id: made.id, body, options: ifMatch(read.meta.versionId) }));
assert.equal(changed.meta.versionId, "2");
assert.equal(await status(() => kit.update({ resourceType, id: made.id, body: read, options: ifMatch("1") })), 412);
assert.equal(right(await kit.resourceHistory({ resourceType, id: made.id })).entry.length, 2);
assert.equal(right(await kit.vread({ resourceType, id: made.id, version: "1" })).telecom, undefined);
assert.equal((await api("GET", `patients/${made.id}/`)).phone, "030 123");
await kit.delete({ resourceType, id: made.id });
assert.equal(await status(() => kit.read({ resourceType, id: made.id })), 410);
assert.equal((await api("GET", `patients/${made.id}/`)).code, "not_found");

const medplum = new MedplumClient({ baseUrl: address, fhirUrlPath: "fhir/", accessToken: token, cacheTime: 0 });
const wanted = { resourceType, identifier: [{ system: "urn:clinic:file", value: "medplum-1" }], name: [{ given: ["Jürgen"], family: "Müller" }] };
const one = right(await medplum.createResourceIfNoneExist(wanted, "identifier=urn:clinic:file|medplum-1"));
assert.equal((await medplum.createResourceIfNoneExist(wanted, "identifier=urn:clinic:file|medplum-1")).id, one.id);
let found = 0;
for await (const page of medplum.searchResourcePages("Patient", "name=lindq&_count=3")) found += page.length;
assert.equal(found, 4);
const again = right(await medplum.updateResource({ ...(await medplum.readResource("Patient", one.id)), birthDate: "1970-01-31" }));
assert.equal(again.meta.versionId, "2");
assert.equal(right(await medplum.readHistory("Patient", one.id)).entry.length, 2);
assert.equal((await api("GET", `patients/${one.id}/`)).date_of_birth, "1970-01-31");
await medplum.deleteResource("Patient", one.id);
await assert.rejects(() => medplum.readResource("Patient", one.id), /deleted|Gone/i);
console.log(`two clients walked through ${base}; ${seen} resources are right for three validators`);
