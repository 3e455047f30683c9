// Asserts that both programs use every operation: node check.mjs <openapi.json> <openapi-fetch.ts> <hey-api.ts>
import { readFileSync } from "node:fs";

const [document, fetching, hey] = process.argv.slice(2).map((file) => readFileSync(file, "utf8"));
const missing = [];
let operations = 0;
for (const [path, methods] of Object.entries(JSON.parse(document).paths)) {
  for (const [method, { operationId }] of Object.entries(methods).filter(([, o]) => o.operationId)) {
    operations++;
    if (!fetching.includes(`await api.${method.toUpperCase()}("${path}"`)) missing.push(`openapi-fetch.ts: ${method} ${path}`);
    if (!hey.includes(`await api.${operationId}(`)) missing.push(`hey-api.ts: ${operationId}`);
  }
}
if (operations === 0) missing.push("any operation of the document");
if (missing.length > 0) {
  console.error(`These are not used:\n${missing.join("\n")}`);
  process.exit(1);
}
console.log(`Both programs use all ${operations} operations.`);
