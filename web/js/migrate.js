// Graphs that were saved with an older version of this pack keep their widgets' values.
//
// A graph stores them by position. Here the positions of old graphs are told from those of today, and the values are
// put where they belong. What a widget no longer offers becomes what comes nearest to it.
import { app } from "../../../scripts/app.js";

const LANDMARKS = ["visible", "oracle"];

// For each node: `before`, the old widgets in their order; `isOld`, whether values are in that order; `now`, for a
// widget, what old values mean today.
const NODES = {
  HMD_DeoccludeVideo: {
    before: [
      "mask_source", "preset", "grow", "method", "landmarks", "face", "on_missing",
      "shift_x", "shift_y", "detector", "face_box", "personal_model",
    ],
    isOld: (values) => LANDMARKS.includes(values[4]),
    now: {
      mask_source: { "headset preset": "detect headset" },
      method: { static: "warp", telea: "warp" },
    },
  },
  HMD_DrawHMDMask: {
    before: ["preset", "shape", "grow", "seed"],
    isOld: (values) => typeof values[1] === "string",
  },
  HMD_EVIHRnetInpaint: {
    before: ["weights", "landmarks", "crop_size", "precision"],
    isOld: (values) => typeof values[2] === "number",
  },
  HMD_InpaintBaseline: {
    before: ["method", "weights", "landmarks"],
    isOld: (values) => values.length > 1 && !LANDMARKS.includes(values[1]),
    now: { method: { lgtsm: "warp", combcn: "warp", lafin: "warp" } },
  },
  HMD_PersonalDeocclude: {
    before: ["model", "landmarks", "crop_size", "precision", "anyone", "steadiness", "whole"],
    isOld: (values) => typeof values[2] === "number",
  },
};

// The values for a node's widgets, from old ones; where those have none, the widget's own.
function migrated(widgets, values, { before, now = {} }) {
  const old = Object.fromEntries(before.map((name, index) => [name, values[index]]));
  return widgets
    .filter((widget) => widget.serialize !== false)
    .map(({ name, value }) => (old[name] === undefined ? value : (now[name]?.[old[name]] ?? old[name])));
}

app.registerExtension({
  name: "HMDRemoval.Migrate",

  beforeRegisterNodeDef(nodeType, nodeData) {
    const change = NODES[nodeData.name];
    if (!change) return;
    const inputs = { ...nodeData.input.required, ...nodeData.input.optional };
    const isGone = (slot) => change.before.includes(slot.name) && !(slot.name in inputs);
    const { configure } = nodeType.prototype;

    nodeType.prototype.configure = function (saved) {
      const values = saved.widgets_values;
      if (Array.isArray(values) && change.isOld(values)) {
        saved.widgets_values = migrated(this.widgets ?? [], values, change);
      }
      // The front end would keep the sockets of widgets that are gone. Those with a link it takes off itself.
      saved.inputs = saved.inputs?.filter((slot) => slot.link != null || !isGone(slot));
      return configure.apply(this, arguments);
    };
  },
});
