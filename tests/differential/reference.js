'use strict';
// The reference implementations of the differential tests: the URL and HTTP parsers of Node.js, and the npm package
// tough-cookie. The argument is the subject. Reads one JSON input per line and writes one JSON result per line. Bytes are
// encoded as ISO 8859-1 characters.

const http = require('node:http');
const readline = require('node:readline');
const { Duplex } = require('node:stream');
const { CookieJar, MemoryCookieStore, parseDate } = require('tough-cookie');

const MAX_HEADER_SIZE = 64 * 1024;

const subjects = { locations, cookies, dates, heads };

/** The resolved URL of each Location; null if it is invalid. */
function locations({ base, locations }) {
  const escape = (byte) => '%' + byte.charCodeAt(0).toString(16).toUpperCase();
  const texts = locations.map((location) => location.replace(/[\x80-\xff]/g, escape));
  return texts.map((text) => (URL.canParse(text, base) ? new URL(text, base).href : null));
}

/** The Cookie header of each request. */
function cookies({ set, get }) {
  const jar = new CookieJar(new MemoryCookieStore(), { enforceSecureOriginOnStorage: true, prefixSecurity: 'strict' });
  for (const { url, line } of set) jar.setCookieSync(line, url, { ignoreError: true });
  return get.map((url) => jar.getCookieStringSync(url));
}

/** The date in seconds; null if it is invalid. */
function dates(text) {
  const date = parseDate(text);
  return date ? date.getTime() / 1000 : null;
}

/**
 * The status, headers and body of the response of a server that sends these bytes and closes the connection; the body is
 * null if it is incomplete, the result is null if the response is invalid.
 */
function heads(bytes) {
  return new Promise((resolve) => {
    const request = http.request({
      createConnection: () => connection(bytes),
      host: 'op.test',
      insecureHTTPParser: true,
      maxHeaderSize: MAX_HEADER_SIZE,
    });
    let hasResponse = false;
    request.on('error', () => hasResponse || resolve(null));
    request.on('upgrade', (response) => resolve({ status: response.statusCode }));
    request.on('response', (response) => {
      hasResponse = true;
      const parts = [];
      const headers = [];
      const raw = response.rawHeaders;
      for (let at = 0; at < raw.length; at += 2) headers.push([raw[at].toLowerCase(), raw[at + 1]]);
      response.on('data', (part) => parts.push(part));
      response.on('error', () => {});
      response.on('close', () => {
        const body = response.complete ? Buffer.concat(parts).toString('latin1') : null;
        resolve({ status: response.statusCode, headers, body });
      });
    });
    request.end();
  });
}

function connection(bytes) {
  return new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      this.push(Buffer.from(bytes, 'latin1'));
      this.push(null);
      done();
    },
  });
}

async function main() {
  const result = subjects[process.argv[2]];
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await result(JSON.parse(line))) + '\n');
  }
}

main();
