import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { profileTable, type RunProfile } from "../../cli/profile.ts";
import { boxesOf, profilePage } from "../../cli/profile_page.ts";

const profile: RunProfile = {
  device: "cpu",
  threads: 2,
  runs: 9,
  seconds: 4e-4,
  nodes: [
    {
      node: 0,
      name: "/a/conv",
      seconds: 3e-4,
      work: { macs: 3e6, factors: ["i8", "i8"], bytes: 2048 },
      bound: { limit: "arithmetic", rate: 2e10, share: 0.5 },
    },
    {
      node: 1,
      name: `<b>&"'`,
      seconds: 1e-4,
      work: { macs: 0, bytes: 4096 },
      bound: { limit: "memory", rate: 1e9, share: 0.0401 },
    },
  ],
  limits: { macs: { "i8 i8": 2e10 }, traffic: { 32768: 1e9 } },
};

Deno.test("boxesOf joins neighbours with a common path, level by level", () => {
  const boxes = boxesOf(["/a/x", "/a/y/z", "b", "/a/x"]);
  assertEquals(
    boxes.map(({ label, depth, first, last }) =>
      `${"-".repeat(depth)}${label} ${first}..${last}`
    ),
    ["a 0..1", "-x 0..0", "-y 1..1", "--z 1..1", "b 2..2", "a 3..3", "-x 3..3"],
  );
});

Deno.test("profileTable tells time, speed, bytes and which limit", () => {
  const lines = profileTable(profile).split("\n");
  assertEquals(
    lines[1].split(/  +/).map((cell) => cell.trim()).filter(Boolean),
    [
      "0",
      "/a/conv",
      "300 us",
      "75 %",
      "10.0",
      "2.00 KiB",
      "arithmetic",
      "50 %",
    ],
  );
  assert(lines[2].endsWith("4.0 %"), lines[2]);
  assertStringIncludes(lines[4], "20.0 GMAC/s");
  assertStringIncludes(lines[5], "1.00 GB/s");
});

Deno.test("profilePage is one file that loads nothing, with every name escaped", () => {
  const page = profilePage("m", [["label", "<script>"]], profile);
  assert(!page.includes("<script>") && !page.includes("<b>"), page);
  const links = page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")
    .match(/https?:|src=|href=|@import|url\(/g);
  assertEquals(links, null);
  assertEquals(
    page.match(/<rect /g)?.length,
    4,
    "the run, a, conv and the other",
  );
  assertEquals(page.match(/<tr/g)?.length, 3);
  assertEquals(page, profilePage("m", [["label", "<script>"]], profile));
});
