// Uses the console as people do: node console.mjs <program> [folder for screenshots]
import assert from "node:assert/strict";
import { end, wrong } from "./desk.mjs";
import { haste } from "./haste.mjs";
import { screens } from "./screens.mjs";
import { staff } from "./staff.mjs";
import { states } from "./states.mjs";
import { story } from "./story.mjs";
import { tabs } from "./tabs.mjs";

const pictures = process.argv[3];
const parts = { story: () => story(pictures), staff, states, haste, screens, tabs };

try {
  for (const [name, part] of Object.entries(parts)) {
    if (process.env.ONLY && name !== process.env.ONLY) continue;
    const began = Date.now();
    await part();
    console.log(`The console: ${name} (${((Date.now() - began) / 1000).toFixed(0)} s)`);
    assert.deepEqual(wrong, []);
  }
  console.log("The console works.");
} finally {
  await end();
}
