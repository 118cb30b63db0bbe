// The configuration of the documentation site. scripts/site-pages writes the pages, and
// navigation.json next to this file. No page loads anything from another host.

import { readFileSync } from "node:fs";

const navigation = JSON.parse(readFileSync(new URL("navigation.json", import.meta.url), "utf8"));

// As on GitHub, and as in scripts/documents.py.
const slugify = (heading) => heading.trim().toLowerCase().replace(/[^\p{L}\p{M}\p{N}_\- ]/gu, "").replace(/ /g, "-");

// An empty cell is not a header for a screen reader.
const emptyHeaders = (md) =>
  md.core.ruler.push("empty-headers", ({ tokens }) => {
    tokens.forEach((token, index) => {
      if (token.type === "th_open" && tokens[index + 1].content === "") token.tag = tokens[index + 2].tag = "td";
    });
  });

// The decisions have a separate sidebar. No section is collapsible: VitePress nests two
// buttons then, of which a screen reader announces one.
const [decisions, others] = [true, false].map((wanted) =>
  navigation.filter((section) => (section.text === "Decisions") === wanted),
);
const sidebar = {
  "/adr/": [{ text: "Overview", items: others[0].items.slice(0, 1) }, ...decisions],
  "/": [...others, ...decisions.map((section) => ({ ...section, items: section.items.slice(0, 1) }))],
};

export default {
  lang: "en",
  title: "number-verify",
  description: "Silent phone number verification over the cellular network",
  outDir: process.env.SITE_OUT,
  base: process.env.SITE_BASE ?? "/",
  head: [["link", { rel: "icon", href: "data:," }]],
  markdown: {
    anchor: { slugify },
    // The default ones have too little contrast.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    languageAlias: { kts: "kotlin" },
    config: emptyHeaders,
  },
  themeConfig: {
    sidebar,
    outline: [2, 3],
    search: { provider: "local" },
  },
  vite: {
    // The search index is one chunk.
    build: { chunkSizeWarningLimit: 2000 },
  },
};
