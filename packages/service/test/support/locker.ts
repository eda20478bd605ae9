import { codeOf } from "@foldmark/protocol";
import { lockFolder } from "../../src/lock.ts";

// takes the lock of the folder in its first argument, reports what came of it, and lives until it is killed
const [, , folder = ""] = process.argv;
const outcome = await lockFolder(folder).then(() => "locked", codeOf);
process.send?.(outcome);
setInterval(() => undefined, 60_000);
