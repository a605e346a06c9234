"""The page's own script: the wipe between before and after, saving a picture, the canvas."""

__all__ = ["HEAD"]

HEAD = """
<script>
window.lwWipe = (input) => {
  const frame = input.closest('figure').querySelector('.frame');
  frame.style.setProperty('--at', input.value + '%');
  frame.style.setProperty('--seen', input.value > 0 && input.value < 100 ? 1 : 0);
};
window.lwSave = (button) => {
  const image = button.closest('figure').querySelector('img');
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  canvas.getContext('2d').drawImage(image, 0, 0);
  const link = document.createElement('a');
  link.href = canvas.toDataURL('image/png'); link.download = button.dataset.name; link.click();
};
window.lwClear = () => {
  const canvas = document.querySelector('.pad canvas');
  canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
};
const penAt = (event) => {
  const box = event.target.getBoundingClientRect();
  return [(event.clientX - box.left) * event.target.width / box.width,
          (event.clientY - box.top) * event.target.height / box.height];
};
document.addEventListener('pointerdown', (event) => {
  if (!event.target.matches?.('.pad canvas')) return;
  event.target.setPointerCapture(event.pointerId);
  const pen = event.target.getContext('2d');
  Object.assign(pen, {lineWidth: 18, lineCap: 'round', lineJoin: 'round', strokeStyle: '#111'});
  pen.beginPath(); pen.moveTo(...penAt(event)); pen.lineTo(...penAt(event)); pen.stroke();
  event.target.dataset.drawing = 1;
});
document.addEventListener('pointermove', (event) => {
  if (!event.target.dataset?.drawing) return;
  const pen = event.target.getContext('2d');
  pen.lineTo(...penAt(event)); pen.stroke();
});
for (const end of ['pointerup', 'pointercancel']) {
  document.addEventListener(end, (event) => { delete event.target.dataset?.drawing; });
}
</script>
"""
