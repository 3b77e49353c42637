// The daemon's own status page.
import { equal, KEY, truthy, URL_WITHOUT_V1 } from './checks.mjs';
import { checks, newPage } from './browser.mjs';

const credentials = { username: 'operator', password: KEY };

async function visit(options, look) {
  const page = await newPage({ httpCredentials: credentials, ...options });
  const complaints = [];
  // That an answer was an error is what one check is about.
  page.on('console', (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) &&
    complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  try {
    await page.goto(`${URL_WITHOUT_V1}/`);
    await look(page);
  } finally {
    await page.close();
  }
  equal(complaints, [], 'what the browser complains of');
}

const check = (sentence, options, look) => checks.add('the status page', sentence, () => visit(options, look));

check('the status page shows the models without JavaScript', { javaScriptEnabled: false }, async (page) => {
  truthy(await page.getByRole('region', { name: 'Models' }).getByText('acme/writer').first().isVisible(), 'no model');
  truthy(await page.getByText('Requests in the last minute').isVisible(), 'no numbers');
});

check('the status page follows what happens without being loaded again', {}, async (page) => {
  const number = page.locator('dl div', { hasText: 'Requests since the start' }).locator('dd');
  const before = Number(await number.textContent());
  await fetch(`${URL_WITHOUT_V1}/v1/models`, { headers: { Authorization: `Bearer ${KEY}` } });
  await page.waitForFunction(
    (least) => [...document.querySelectorAll('dd')].some((one) => one.previousElementSibling.textContent ===
      'Requests since the start' && Number(one.textContent) > least),
    before,
  );
});

check("a model can be tried from the status page's form with the keyboard alone", {}, async (page) => {
  await page.getByLabel('Model', { exact: true }).fill('echo');
  await page.getByLabel('Key, where one is asked for').fill(KEY);
  await page.getByLabel('Message').fill('typed on the page');
  await page.keyboard.press('Tab');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Send', 'what is focused after the message');
  await page.keyboard.press('Enter');
  await page.getByRole('status', { name: 'Answer' }).getByText('You said: typed on the page').waitFor();
});

check('an error is told in the form as it is', {}, async (page) => {
  await page.getByLabel('Model', { exact: true }).fill('no-such-model');
  await page.getByLabel('Key, where one is asked for').fill(KEY);
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByRole('status', { name: 'Answer' }).getByText('does not exist here').waitFor();
});

for (const colorScheme of ['light', 'dark'])
  check(`the status page can be read in ${colorScheme} surroundings`, { colorScheme }, async (page) => {
    const worst = await page.evaluate(() => {
      const light = (color) => {
        const [r, g, b] = color.match(/[\d.]+/g).map((part) => {
          const one = Number(part) / 255;
          return one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const back = light(getComputedStyle(document.body).backgroundColor);
      const ratios = [...document.querySelectorAll('main *')]
        .filter((one) => one.childElementCount === 0 && one.textContent.trim() !== '' && one.tagName !== 'BUTTON')
        .map((one) => light(getComputedStyle(one).color))
        .map((ink) => (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05));
      return Math.min(...ratios);
    });
    truthy(worst >= 4.5, `the least contrast of its texts is ${worst.toFixed(2)} and not 4.5`);
  });
