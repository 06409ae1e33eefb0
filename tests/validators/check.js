// Runs npm's `fhir` over bundles: check.js MODULES FILE... prints what it found, one JSON object a line.
const path = require("path");
const fs = require("fs");
const { Fhir } = require(path.join(process.argv[2], "fhir", "fhir"));

const fhir = new Fhir();
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
  entries.forEach((entry, number) => judge(number, entry.resource));
  judge("bundle", entries.length ? { ...bundle, entry: entries.slice(0, 1) } : bundle);
  console.log(JSON.stringify({ form: "fhir", file, entries: entries.length, problems: problems.slice(0, 20) }));
}
