// A page in Chromium: all checks, which the other files of this folder hold by subject.
import './fetches.mjs';
import './sdk.mjs';
import './status.mjs';
import './waiting.mjs';
import { checks, closeBrowser } from './browser.mjs';

try {
  await checks.run();
} finally {
  await closeBrowser();
}
