// Gives each line of a file, a resource in JSON, to the validators: node lines.mjs FILE
import { readFileSync } from "node:fs";
import { validate } from "./validate.mjs";

let wrong = 0;
const lines = [...new Set(readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean))];
for (const line of lines) {
  const found = validate(JSON.parse(line));
  if (found.length) {
    wrong++;
    console.log(line.slice(0, 1000), found);
  }
}
console.log(`${lines.length} bodies, ${wrong} of them wrong`);
process.exit(wrong || !lines.length ? 1 : 0);
