// Runs npm's `fhir` over bundles: check.js MODULES FILE... prints what it found, one JSON object a line.
const path = require("path");
const fs = require("fs");
const { Fhir } = require(path.join(process.argv[2], "fhir", "fhir"));

const fhir = new Fhir();

// The codes that it has, by system, with their displays (a part of some systems): by itself it judges the
// codes of required sets alone.
const known = new Map();
const profiles = path.join(process.argv[2], "fhir", "profiles", "valuesets.json");
for (const { systems } of Object.values(JSON.parse(fs.readFileSync(profiles, "utf8")))) {
  for (const { uri, codes } of systems) {
    const named = codes.filter(({ display }) => display).map(({ code, display }) => [code, display]);
    known.set(uri, new Map([...(known.get(uri) || []), ...named]));
  }
}

// What is wrong with the codings below this value.
const misnamed = (value) => {
  if (value === null || typeof value !== "object") {
    return [];
  }
  const below = Object.values(value).flatMap(misnamed);
  const codes = known.get(value.system);
  if (codes && codes.has(value.code) && codes.get(value.code) !== value.display) {
    below.push(`${value.system} calls ${value.code} ${codes.get(value.code)}, not ${value.display}`);
  }
  return below;
};
for (const file of process.argv.slice(3)) {
  const bundle = JSON.parse(fs.readFileSync(file, "utf8"));
  const entries = bundle.entry || [];
  const problems = [];
  // Its errors alone: it warns where it does not know a value set, which for an extensible one is no fault.
  const judge = (place, resource) => {
    for (const { severity, location, message } of fhir.validate(resource, { errorOnUnexpected: true }).messages) {
      if (severity === "error" || severity === "fatal") {
        problems.push(`${place}: fhir: ${location}: ${message}`);
      }
    }
  };
  // Each entry by itself: its messages for a bundle do not say which.
  entries.forEach((entry, number) => {
    judge(number, entry.resource);
    misnamed(entry.resource).forEach((problem) => problems.push(`${number}: fhir: ${problem}`));
  });
  judge("bundle", entries.length ? { ...bundle, entry: entries.slice(0, 1) } : bundle);
  console.log(JSON.stringify({ form: "fhir", file, entries: entries.length, problems: problems.slice(0, 20) }));
}
