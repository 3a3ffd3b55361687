// Shows the engine's description of its own interface. Everything comes from the engine; nothing is fetched elsewhere.

const METHODS = ["get", "post", "put", "patch", "delete"];

const description = await (await fetch("/api/openapi.json")).json();

/** An element with attributes and children; text is never read as HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** Text with what stands between backticks as code. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

function resolved(schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? description.components.schemas[name] : schema;
}

/** What a value of this schema may look like. */
function example(schema, depth = 0) {
  schema = resolved(schema);
  if (!schema || depth > 6) return null;
  if (schema.example !== undefined) return schema.example;
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice) return example(choice.find((one) => resolved(one)?.type !== "null") ?? choice[0], depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => example(part, depth + 1)));
  if (schema.enum) return schema.enum[0];
  const type = [schema.type].flat().find((one) => one !== "null");
  if (type === "object") {
    const members = Object.entries(schema.properties ?? {});
    return Object.fromEntries(members.map(([name, member]) => [name, example(member, depth + 1)]));
  }
  if (type === "array") return [example(schema.items, depth + 1)];
  return { integer: 0, number: 0, boolean: true, string: schema.format ?? "string" }[type] ?? null;
}

function typeOf(schema) {
  schema = resolved(schema) ?? {};
  const kinds = (schema.oneOf ?? schema.anyOf ?? []).map(typeOf);
  return schema.enum?.join(" | ") ?? (kinds.length ? kinds.join(" | ") : [schema.type ?? "any"].flat().join(" | "));
}

function fields(schema) {
  const members = Object.entries(resolved(schema)?.properties ?? {});
  if (!members.length) return undefined;
  const required = resolved(schema).required ?? [];
  const rows = members.map(([name, member]) =>
    element("tr", {},
      element("td", {}, element("code", {}, name), required.includes(name) ? "" : " (optional)"),
      element("td", {}, element("code", {}, typeOf(member)), " ", ...prose(member.description ?? resolved(member)?.description))));
  return element("table", {}, ...rows);
}

function parameters(operation) {
  if (!operation.parameters?.length) return [];
  const rows = operation.parameters.map((parameter) =>
    element("tr", {},
      element("td", {}, element("code", {}, parameter.name), ` (${parameter.in})`),
      element("td", {}, element("code", {}, typeOf(parameter.schema)), " ", ...prose(parameter.description))));
  return [element("h4", {}, "Parameters"), element("table", {}, ...rows)];
}

function sample(schema) {
  return element("details", {},
    element("summary", {}, "Example"),
    element("pre", {}, JSON.stringify(example(schema), null, 2)));
}

function body(operation) {
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  return schema ? [element("h4", {}, "Body"), fields(schema), sample(schema)] : [];
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, answer]) => {
    const schema = answer.content?.["application/json"]?.schema;
    return element("tr", {},
      element("td", {}, element("code", {}, status)),
      element("td", {}, ...prose(answer.description), schema ? fields(schema) : undefined, schema ? sample(schema) : undefined));
  });
  return [element("h4", {}, "Answers"), element("table", {}, ...rows)];
}

function article(path, method, operation, id) {
  return element("article", { id },
    element("h3", {}, element("span", { class: `method ${method}` }, method.toUpperCase()), " ", path),
    element("p", {}, operation.summary),
    operation.description && element("p", {}, ...prose(operation.description)),
    ...parameters(operation), ...body(operation), ...answers(operation));
}

function show() {
  document.getElementById("version").textContent = description.info.version;
  document.getElementById("introduction").append(...prose(description.info.description));
  const all = Object.entries(description.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
  for (const tag of description.tags) {
    const tagged = all.filter(({ operation }) => operation.tags?.includes(tag.name));
    if (!tagged.length) continue;
    const section = element("section", {}, element("h2", {}, tag.name), element("p", {}, ...prose(tag.description)));
    const list = element("div", {}, element("h2", {}, tag.name));
    for (const { path, method, operation } of tagged) {
      const id = `${method}${path}`;
      section.append(article(path, method, operation, id));
      list.append(element("a", { href: `#${id}`, title: operation.summary ?? "" },
        element("span", { class: method }, method.toUpperCase()), ` ${path}`));
    }
    document.getElementById("operations").append(section);
    document.getElementById("contents").append(list);
  }
}

show();
