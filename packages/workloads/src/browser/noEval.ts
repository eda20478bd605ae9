import { z } from "zod";

// Imported before any schema is made: zod probes for `new Function` otherwise, and a page's policy reports the attempt.
z.config({ jitless: true });
