"""Says which texts of a page are hard to read."""

# Texts that stand out from what is behind them less than WCAG 2.2 asks (1.4.3: 4.5 to 1), by the
# nearest opaque background; what is disabled or hidden from everyone does not count.
CONTRAST = """
const channels = (color) => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d');
  canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const color = channels(getComputedStyle(node).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255];
};
const weak = new Set();
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || !node.checkVisibility({visibilityProperty: true})) continue;
  if (node.closest('.unseen, .stars, :disabled, script, noscript')) continue;
  const [a, b] = [light(channels(getComputedStyle(node).color)), light(behind(node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const which = `${node.className || node.tagName} ${walk.currentNode.data.trim()}`;
  if (ratio < 4.5) weak.add(`${which} ${ratio.toFixed(2)}`);
}
return [...weak];
"""
