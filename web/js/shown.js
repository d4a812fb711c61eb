// What a node says when it has run, below its widgets: the `shown_text` of its ui, see nodes/shown.py.
import { app } from "../../../scripts/app.js";

const NAME = "shown_text";
const HEIGHT = 60; // pixels; longer texts are scrolled where the node leaves no more room

function addText(node) {
  const element = document.createElement("div");
  element.style.cssText =
    "overflow-y: auto; padding: 0 8px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; user-select: text";
  const widget = node.addDOMWidget(NAME, "HMD_TEXT", element, {
    hideOnZoom: false,
    getMinHeight: () => HEIGHT,
    getValue: () => element.textContent,
    setValue: (text) => (element.textContent = text),
  });
  widget.serialize = false; // it is no value of the graph
  widget.options.serialize = false; // nor one to queue
  return widget;
}

app.registerExtension({
  name: "HMDRemoval.Shown",

  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name.startsWith("HMD_")) return;
    const { onExecuted } = nodeType.prototype;

    nodeType.prototype.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      const text = output?.[NAME]?.[0];
      if (text === undefined) return;
      const widget = this.widgets?.find(({ name }) => name === NAME) ?? addText(this);
      widget.value = text;
    };
  },
});
