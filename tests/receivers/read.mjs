// Reads the calendar messages on stdin, a JSON list of texts, by the ical.js at the path given; prints what each says.
import { pathToFileURL } from "node:url";

const { default: ICAL } = await import(pathToFileURL(process.argv[2]).href);

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);

const readings = JSON.parse(Buffer.concat(chunks).toString("utf8")).map((text) => {
  const calendar = new ICAL.Component(ICAL.parse(text));
  const event = new ICAL.Event(calendar.getFirstSubcomponent("vevent"));
  return {
    uid: event.uid,
    sequence: event.sequence,
    method: calendar.getFirstPropertyValue("method"),
    start: event.startDate.toJSDate().toISOString(),
    end: event.endDate.toJSDate().toISOString(),
  };
});
process.stdout.write(JSON.stringify(readings));
