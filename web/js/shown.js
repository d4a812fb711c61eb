// A text that a node shows is no value of a widget.
//
// Older front ends save it as one, behind the others, where a widget that a later version of this pack adds would find it.
import { app } from "../../../scripts/app.js";

app.registerExtension({
  name: "HMDRemoval.Shown",

  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name.startsWith("HMD_")) return;
    const { serialize } = nodeType.prototype;

    nodeType.prototype.serialize = function () {
      const texts = this.widgets?.filter((widget) => widget.type === "progressText") ?? [];
      for (const text of texts) text.serialize = false;
      return serialize.apply(this, arguments);
    };
  },
});
