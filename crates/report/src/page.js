"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const report = JSON.parse($("report").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const state = { by: "image", at: [report.tree], chosen: report.tree, cursor: -1, tiles: [] };

  // Texts of others are text nodes, never markup.
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (key === "class") element.className = value;
      else if (value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== undefined));
    return element;
  };
  const shape = (tag, attributes) => {
    const element = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const visible = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (letter) => "\\u{" + letter.codePointAt(0).toString(16) + "}");
  const clear = (element, ...children) => element.replaceChildren(...children.filter((child) => child !== undefined));

  // Bytes as the program prints them: tenths, rounded down.
  const units = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];
  const size = (bytes) => {
    const unit = units.find(([least]) => bytes >= least);
    if (!unit) return bytes + " B";
    if (bytes % unit[0] === 0) return bytes / unit[0] + " " + unit[1];
    const tenths = Math.floor((bytes / unit[0]) * 10);
    return Math.floor(tenths / 10) + "." + (tenths % 10) + " " + unit[1];
  };
  const signed = (bytes) => (bytes < 0 ? "\u2212" : "+") + size(Math.abs(bytes));
  const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const share = (part, whole) => {
    if (!whole) return "0 %";
    const tenths = Math.round((part / whole) * 1000);
    return Math.floor(tenths / 10) + "." + (tenths % 10) + " %";
  };
  const isHashed = (name) => /^[0-9a-z]{32}-./.test(name);
  const bare = (name) => (isHashed(name) ? name.slice(33) : name);
  const label = (node) => (node.kind === "region" && /^[0-9]+$/.test(node.name) ? "partition " + node.name : visible(bare(node.name)));
  const value = (node) => node[state.by];
  const measure = { image: "in the image", unpacked: "unpacked" };
  const byName = new Map(report.paths.map((path, number) => [path.name, number]));
  const kinds = {
    image: "image", region: "region", folder: "folder", "store-path": "store path", file: "file",
    rest: "smaller ones, summed up", tables: "tables", raw: "bytes", free: "free space",
  };

  // Squarified: each row takes parts as long as they get more like squares.
  const squarify = (parts, x, y, width, height) => {
    const rects = [];
    let total = parts.reduce((sum, part) => sum + value(part), 0);
    for (let first = 0; first < parts.length;) {
      if (total <= 0 || width <= 0 || height <= 0) break;
      const side = Math.min(width, height), scale = (width * height) / total;
      let end = first, sum = 0, worst = Infinity;
      while (end < parts.length) {
        const next = sum + value(parts[end]);
        const thick = (next * scale) / side;
        const of = (part) => { const long = (value(part) * scale) / thick; return Math.max(long / thick, thick / long); };
        const now = Math.max(of(parts[first]), of(parts[end]));
        if (end > first && now > worst) break;
        worst = now; sum = next; end += 1;
      }
      const thick = (sum * scale) / side;
      let at = 0;
      for (const part of parts.slice(first, end)) {
        const long = (value(part) / sum) * side;
        rects.push(width >= height ? [part, x, y + at, thick, long] : [part, x + at, y, long, thick]);
        at += long;
      }
      if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
      total -= sum; first = end;
    }
    return rects;
  };

  const letters = document.createElement("canvas").getContext("2d");
  const fonts = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  const fit = (text, width, weight) => {
    letters.font = `${weight} ${fonts}`;
    if (letters.measureText(text).width <= width) return text;
    let low = 0, high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (letters.measureText(text.slice(0, middle) + "\u2026").width <= width) low = middle; else high = middle - 1;
    }
    return low > 2 ? text.slice(0, low) + "\u2026" : "";
  };

  // Folders in which nearly everything is in one folder are drawn as one.
  const chain = (node) => {
    let names = label(node), at = node, extra = [];
    const way = [];
    for (;;) {
      const most = (at.children || []).find((child) => value(child) >= 0.96 * value(at));
      if (!most || most.kind !== "folder" || !most.children) break;
      extra = extra.concat(at.children.filter((child) => child !== most));
      names += "/" + visible(most.name);
      way.push(most);
      at = most;
    }
    return way.length ? [{ children: at.children.concat(extra), way }, names] : [node, names];
  };

  const draw = () => {
    const map = $("map"), here = state.at[state.at.length - 1];
    const width = map.clientWidth, height = map.clientHeight;
    const picture = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "presentation" });
    state.tiles = [];
    const parts = (node, x, y, wide, high, way) => {
      const known = (node.children || []).filter((child) => value(child) > 0).sort((a, b) => value(b) - value(a));
      for (const rect of squarify(known, x, y, wide, high)) tile(way, ...rect);
    };
    const tile = (way, node, x, y, wide, high) => {
      if (wide < 2.5 || high < 2.5 || state.tiles.length > 8000) return;
      way = way.concat(node);
      const number = state.tiles.length;
      state.tiles.push({ way, node, x, y, wide, high });
      const isFrame = node.kind === "region" && node.children;
      const group = shape("g", { class: isFrame ? "tile frame" : "tile", "data-tile": number });
      const rect = shape("rect", { x, y, width: wide, height: high });
      if (!isFrame) rect.setAttribute("fill", `var(--${node.class})`);
      group.append(rect);
      const put = (text, down, kind, weight = 500) => {
        const fitted = fit(text, wide - 10, weight);
        if (!fitted || high < down + 4) return;
        const words = shape("text", { x: x + 5, y: y + down });
        if (kind) words.setAttribute("class", kind);
        words.textContent = fitted;
        group.append(words);
      };
      const opens = node.children && node.kind !== "free";
      if (opens && wide > 58 && high > 42) {
        const [inner, names] = chain(node);
        put(names + "  " + size(value(node)), 14, undefined, 700);
        if (!isFrame) group.classList.add("open");
        picture.append(group);
        parts(inner, x + 2, y + 20, wide - 4, high - 22, way.concat(inner.way || []));
      } else {
        if (wide > 34 && high > 17) put(label(node), 14);
        if (wide > 44 && high > 34) put(size(value(node)), 28, "by");
        picture.append(group);
      }
    };
    if (here.children) parts(here, 0, 0, width, height, []);
    else tile([], here, 0, 0, width, height);
    state.cursor = -1;
    clear(map, picture);
    legend(here);
  };

  const legend = (here) => {
    const sums = {};
    const add = (node) => {
      let own = value(node);
      for (const child of node.children || []) { own -= value(child); add(child); }
      if (own > 0) sums[node.class] = (sums[node.class] || 0) + own;
    };
    if (here === report.tree) for (const known of report.classes) sums[known.class] = known[state.by];
    else add(here);
    const shown = report.classes.filter((known) => sums[known.class] > 0).map((known) => {
      const swatch = make("i");
      swatch.style.background = `var(--${known.class})`;
      return make("li", {}, swatch, `${known.class} ${size(sums[known.class])}`);
    });
    clear($("legend"), ...shown);
  };

  const crumbs = () => {
    const buttons = state.at.map((node, index) => {
      const last = index + 1 === state.at.length;
      return [index ? make("span", { class: "dim", "aria-hidden": "true" }, "\u203a") : undefined,
        make("button", { type: "button", "aria-current": last ? "true" : undefined, onclick: () => go(state.at.slice(0, index + 1)) }, label(node))];
    });
    clear($("crumbs"), ...buttons.flat());
  };

  const go = (way) => {
    state.at = way;
    crumbs();
    draw();
    choose(way[way.length - 1]);
    contents();
  };
  const enter = (way) => {
    let whole = state.at.concat(way);
    while (whole.length > 1 && !whole[whole.length - 1].children) whole = whole.slice(0, -1);
    if (whole.length > state.at.length) go(whole); else choose(way[way.length - 1] || whole[whole.length - 1]);
  };

  const choose = (node, quiet) => {
    state.chosen = node;
    about(node);
    if (!quiet) $("said").textContent = `${label(node)}, ${kinds[node.kind]}, ${size(value(node))} ${measure[state.by]}, ${share(value(node), value(report.tree))} of the image`;
  };

  const pathLink = (number) => make("button", { type: "button", class: "link", title: visible(report.paths[number].name), onclick: () => find(number) }, visible(bare(report.paths[number].name)));
  const find = (number) => {
    const name = report.paths[number].name;
    const search = (node, way) => {
      if (node.kind === "store-path" && node.name === name) return way.concat(node);
      for (const child of node.children || []) {
        if (child.kind === "file" || child.kind === "rest") continue;
        const found = search(child, way.concat(node));
        if (found) return found;
      }
      return undefined;
    };
    const way = search(report.tree, []);
    if (way) { if (way[way.length - 1].children) go(way); else { go(way.slice(0, -1)); choose(way[way.length - 1]); } }
    $("what").scrollIntoView({ block: "nearest" });
  };

  let referrers;
  const about = (node) => {
    const box = [make("h3", {}, visible(node.name)), make("div", { class: "dim" }, kinds[node.kind])];
    const facts = make("dl");
    const fact = (name, text) => facts.append(make("dt", {}, name), make("dd", {}, text));
    fact("in the image", size(node.image));
    fact("unpacked", size(node.unpacked));
    fact("of the image", share(node.image, report.tree.image));
    if (node.files) fact("files", count(node.files));
    box.push(facts);
    if (node === report.tree && report.paths.length) box.push(make("p", { class: "dim" }, "Point at a part to see what it is. A store path says why it is here, and what would go with it."));
    const number = node.kind === "store-path" ? byName.get(node.name) : undefined;
    if (number !== undefined) box.push(...why(number));
    clear($("about"), ...box);
  };

  const why = (number) => {
    const path = report.paths[number], box = [];
    const isKnown = report.paths.some((other) => other.references && other.references.length);
    if (!isKnown) return box;
    box.push(make("h4", {}, "Why is this here?"));
    if (path.loose) box.push(make("p", {}, "Nothing leads to it: it could go."));
    else {
      const way = [];
      for (let at = number; at !== undefined && way.length < 100; at = report.paths[at].via) way.unshift(at);
      const items = way.map((at) => make("li", {}, at === number ? make("strong", {}, visible(bare(report.paths[at].name))) : pathLink(at)));
      box.push(make("ol", { class: "chain" }, ...items));
    }
    if (!referrers) {
      referrers = report.paths.map(() => []);
      report.paths.forEach((other, from) => (other.references || []).forEach((to) => referrers[to].push(from)));
    }
    const list = (title, numbers) => {
      if (!numbers.length) return;
      const shown = numbers.slice().sort((a, b) => report.paths[b][state.by] - report.paths[a][state.by]).slice(0, 8);
      const items = shown.flatMap((at, index) => (index ? [", ", pathLink(at)] : [pathLink(at)]));
      if (numbers.length > shown.length) items.push(` and ${count(numbers.length - shown.length)} more`);
      box.push(make("h4", {}, `${title} (${count(numbers.length)})`), make("p", {}, ...items));
    };
    box.push(make("h4", {}, "If it went"));
    const others = path.retained_paths - 1;
    box.push(make("p", {}, `${size(path.retained[state.by])} ${measure[state.by]} would go: itself` +
      (others ? ` and ${count(others)} store ${others === 1 ? "path that only it keeps" : "paths that only it keeps"}.` : ", and nothing else.")));
    if (path.keeper !== undefined) box.push(make("p", {}, "It would go with ", pathLink(path.keeper), "."));
    list("Referred to by", referrers[number]);
    list("Refers to", path.references || []);
    return box;
  };

  // Tables: sorted by a click, some rows at a time.
  const table = (place, caption, columns, rows, options = {}) => {
    let sorted = options.sorted, shown = options.rows || 25, wanted = "";
    const body = make("tbody"), head = make("tr"), rest = make("div", { class: "bar" });
    const fill = () => {
      const found = wanted ? rows.filter((row) => options.text(row).toLowerCase().includes(wanted)) : rows.slice();
      if (sorted !== undefined) {
        const key = columns[sorted].key;
        found.sort((a, b) => (typeof key(a) === "number" ? key(b) - key(a) : key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
      }
      clear(body, ...found.slice(0, shown).map((row) => make("tr", {}, ...columns.map((column) => {
        const cell = column.cell(row);
        return make("td", { class: (column.number ? "n" : "name") + (column.optional ? " opt" : "") }, ...(Array.isArray(cell) ? cell : [cell]));
      }))));
      clear(head, ...columns.map((column, index) => make("th", {
        scope: "col", class: (column.number ? "n" : "") + (column.optional ? " opt" : ""),
        "aria-sort": sorted === index ? (column.number ? "descending" : "ascending") : undefined,
      }, column.key ? make("button", { type: "button", onclick: () => { sorted = index; fill(); } }, column.title) : column.title)));
      const left = found.length - shown;
      clear(rest, left > 0 ? make("button", { type: "button", onclick: () => { shown += 200; fill(); } }, `Show more (${count(left)} left)`) : undefined);
      if (!found.length) body.append(make("tr", {}, make("td", { colspan: columns.length, class: "dim" }, "nothing")));
    };
    const search = options.text ? make("input", { class: "find", type: "search", placeholder: "Find by name", "aria-label": `Find in: ${caption}`, oninput: (event) => { wanted = event.target.value.toLowerCase(); fill(); } }) : undefined;
    clear(place, ...[search].filter(Boolean), make("div", { class: "wide" }, make("table", {}, make("caption", {}, caption), make("thead", {}, head), body)), rest);
    fill();
  };
  const shortened = (path) => visible(path.replace(/\/([0-9a-z]{32})-/g, (_, hash) => "/" + hash.slice(0, 4) + "\u2026-"));
  const named = (name) => (isHashed(name) ? [visible(bare(name)), " ", make("span", { class: "hash" }, name.slice(0, 8) + "\u2026")] : [visible(name)]);
  const both = (of) => [
    { title: "in the image", number: true, key: (row) => of(row).image, cell: (row) => size(of(row).image) },
    { title: "unpacked", number: true, optional: false, key: (row) => of(row).unpacked, cell: (row) => size(of(row).unpacked) },
  ];

  const contents = () => {
    const here = state.at[state.at.length - 1];
    const swatch = (node) => { const made = make("span", { class: "sw", "aria-hidden": "true" }); made.style.background = `var(--${node.class})`; return made; };
    const open = (node) => make("button", { type: "button", class: "link", onclick: () => enter([node]) }, label(node));
    table($("contents"), `What is in ${label(here)}`, [
      { title: "name", key: (node) => bare(node.name), cell: (node) => [swatch(node), open(node)] },
      { title: "kind", optional: true, cell: (node) => kinds[node.kind] },
      ...both((node) => node),
      { title: "share", number: true, cell: (node) => share(value(node), value(here)) },
      { title: "files", number: true, optional: true, key: (node) => node.files || 0, cell: (node) => count(node.files || 0) },
    ], (here.children || []).slice().sort((a, b) => value(b) - value(a)), { rows: 15 });
  };

  const lists = () => {
    const paths = report.paths.map((path, number) => Object.assign({ number }, path));
    const meter = (part, whole) => { const made = make("span", { class: "meter", "aria-hidden": "true" }); made.style.width = Math.max(0.5, (part / (whole || 1)) * 100) + "%"; return made; };
    const most = paths.reduce((largest, path) => Math.max(largest, path.image), 0);
    const link = (row) => [make("button", { type: "button", class: "link", onclick: () => find(row.number) }, visible(bare(row.name))), " ", make("span", { class: "hash opt" }, row.name.slice(0, 8) + "\u2026"), meter(row.image, most)];
    if (paths.length) {
      table($("paths"), `${count(paths.length)} store paths; what would go counts what only a path keeps`, [
        { title: "store path", key: (row) => bare(row.name), cell: link },
        ...both((row) => row),
        { title: "would go", number: true, key: (row) => row.retained[state.by], cell: (row) => size(row.retained[state.by]) },
        { title: "files", number: true, optional: true, key: (row) => row.files, cell: (row) => count(row.files) },
      ], paths, { sorted: 1, rows: 20, text: (row) => row.name });
      const loose = paths.filter((path) => path.loose);
      const keeping = loose.concat(paths.filter((path) => !path.loose && path.name !== report.toplevel && path.via !== undefined));
      if ($("go")) table($("go"), "Each with all that only it keeps: without it, so much less", [
        { title: "if this went", key: (row) => bare(row.name), cell: (row) => link(row).slice(0, 3).concat(row.loose ? [" \u2013 nothing leads to it"] : []) },
        ...both((row) => row.retained),
        { title: "store paths", number: true, optional: true, key: (row) => row.retained_paths, cell: (row) => count(row.retained_paths) },
      ], keeping, { sorted: 1, rows: 12, text: (row) => row.name });
    }
    table($("files"), "The largest files", [
      { title: "file", key: (row) => row.path, cell: (row) => shortened(row.path) },
      ...both((row) => row),
    ], report.files, { sorted: 2, rows: 12, text: (row) => row.path });
    if ($("equal")) table($("equal"), "Files with the same bytes as another one; a format that finds them stores them once", [
      { title: "files", cell: (row) => row.paths.slice(0, 4).flatMap((path, index) => (index ? [make("br"), shortened(path)] : [shortened(path)])).concat(row.count > 4 ? [make("br"), `and ${count(row.count - 4)} more`] : []) },
      { title: "each", number: true, key: (row) => row.size, cell: (row) => size(row.size) },
      { title: "times", number: true, optional: true, key: (row) => row.count, cell: (row) => count(row.count) },
      ...both((row) => row),
    ], report.equal, { sorted: 4, rows: 8 });
    if ($("grown")) grown();
  };

  const grown = () => {
    const zero = { image: 0, unpacked: 0 };
    const by = (row, key) => (row.after || zero)[key] - (row.before || zero)[key];
    const delta = (key) => (row) => { const bytes = by(row, key); return make("span", { class: bytes > 0 ? "more" : bytes < 0 ? "less" : "dim" }, bytes ? signed(bytes) : "same"); };
    const versions = (row) => {
      const [before, after] = [row.versions_before || [], row.versions_after || []].map((list) => list.join(", "));
      if (!row.before) return "new " + after;
      if (!row.after) return "gone " + before;
      return before === after ? before : `${before} \u2192 ${after}`;
    };
    const columns = [
      { title: "what", key: (row) => row.name, cell: (row) => named(row.name) },
      { title: "version", cell: (row) => visible(versions(row)) },
      { title: "in the image", number: true, key: (row) => by(row, "image"), cell: delta("image") },
      { title: "unpacked", number: true, key: (row) => by(row, "unpacked"), cell: delta("unpacked") },
    ];
    table($("grown"), "Packages by their names, and folders outside of the store", report.grown.is_exact ? columns : columns.filter((column) => column.title !== "in the image"), report.grown.changes, { rows: 15, text: (row) => row.name });
  };

  const strip = () => {
    const parts = report.regions.map((region) => {
      const part = make("i", { title: `${visible(region.name)} \u2013 ${size(region.size)}` });
      part.style.flexGrow = String(Math.max(region.size / (report.totals.image || 1), 0.004));
      const node = report.tree.children && report.tree.children.find((child) => child.name === region.name);
      const used = region.size ? 100 - (region.free / region.size) * 100 : 0;
      const color = `var(--${region.kind === "free" ? "free" : node && node.class !== "free" ? node.class : "tables"})`;
      part.style.background = `linear-gradient(90deg, ${color} ${used}%, var(--free) ${used}%)`;
      return part;
    });
    if ($("strip")) clear($("strip"), ...parts);
  };

  const map = $("map");
  const tileOf = (event) => { const group = event.target.closest("[data-tile]"); return group && state.tiles[Number(group.dataset.tile)]; };
  map.addEventListener("click", (event) => { const tile = tileOf(event); if (tile) enter(tile.way); });
  map.addEventListener("mousemove", (event) => { const tile = tileOf(event); if (tile && tile.node !== state.chosen) choose(tile.node, true); });
  const mark = (number) => {
    const tile = state.tiles[number];
    if (!tile) return;
    state.cursor = number;
    const picture = map.firstElementChild, old = picture.querySelector(".cursor");
    if (old) old.remove();
    picture.append(shape("rect", { class: "cursor", x: tile.x + 1.5, y: tile.y + 1.5, width: Math.max(tile.wide - 3, 1), height: Math.max(tile.high - 3, 1) }));
    choose(tile.node);
  };
  // Arrows go to the nearest tile of the same depth, or of the next one.
  const step = (right, down) => {
    const here = state.tiles[state.cursor];
    if (!here) { mark(0); return; }
    const middle = (tile) => [tile.x + tile.wide / 2, tile.y + tile.high / 2];
    const [x, y] = middle(here);
    let best, least = Infinity;
    state.tiles.forEach((tile, number) => {
      if (number === state.cursor || tile.way.length !== here.way.length) return;
      const [other, below] = middle(tile), along = (other - x) * right + (below - y) * down;
      if (along <= 0.5) return;
      const aside = Math.abs((other - x) * down) + Math.abs((below - y) * right);
      const far = along + 2 * aside;
      if (far < least) { least = far; best = number; }
    });
    if (best !== undefined) mark(best);
  };
  map.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const here = state.tiles[state.cursor];
    if (moves[event.key]) step(...moves[event.key]);
    else if (event.key === "Enter" && here) { enter(here.way); mark(0); }
    else if (event.key === " " && here) {
      const inner = state.tiles.findIndex((tile) => tile.way.length > here.way.length && tile.way[here.way.length - 1] === here.node);
      if (inner >= 0) mark(inner);
    } else if (event.key === "Escape" || event.key === "Backspace") { if (state.at.length > 1) { go(state.at.slice(0, -1)); mark(0); } }
    else return;
    event.preventDefault();
  });
  map.addEventListener("focus", () => { if (state.cursor < 0) mark(0); });

  document.querySelectorAll("[data-by]").forEach((button) => button.addEventListener("click", () => {
    state.by = button.dataset.by;
    document.querySelectorAll("[data-by]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    draw(); contents(); lists(); choose(state.chosen, true);
  }));
  // The switch turns the rules of the other theme on, whatever the system prefers.
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = $("theme");
  let dark = location.hash === "#dark" ? true : location.hash === "#light" ? false : night.matches;
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule.media && rule.media.mediaText.includes("color-scheme"));
  const paint = (isChosen) => {
    if (isChosen) for (const rule of rules) rule.media.mediaText = dark ? "all" : "not all";
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    theme.textContent = dark ? "Light" : "Dark";
    theme.setAttribute("aria-label", dark ? "Light colors" : "Dark colors");
  };
  theme.addEventListener("click", () => { dark = !dark; paint(true); });
  night.addEventListener("change", (event) => { dark = event.matches; if (rules.every((rule) => rule.media.mediaText.includes("color-scheme"))) paint(false); });
  paint(location.hash === "#dark" || location.hash === "#light");

  const linked = () => {
    const name = decodeURIComponent(location.hash.replace(/^#(path=)?/, ""));
    if (location.hash.startsWith("#path=") && byName.has(name)) find(byName.get(name));
  };
  window.addEventListener("hashchange", linked);
  strip(); crumbs(); draw(); contents(); lists(); choose(report.tree, true);
  let [width, height] = [map.clientWidth, map.clientHeight];
  new ResizeObserver(() => {
    if (map.clientWidth === width && map.clientHeight === height) return;
    [width, height] = [map.clientWidth, map.clientHeight];
    draw();
  }).observe(map);
  linked();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
