// The linked plots of a study. A row that is marked in a plot is marked in the table and the other way round; a click
// opens the report of its run.
(async () => {
  const read = id => JSON.parse(document.getElementById(id).textContent)
  const place = document.getElementById('plots')
  const reports = read('plots-reports')
  const rows = [...document.querySelectorAll('table.linked tbody tr')]
  await Bokeh.embed.embed_item(read('plots-data'), 'plots')
  const source = Bokeh.documents[0].get_model_by_name('rows')
  document.documentElement.classList.add('has-plots')
  const Selection = source.inspected.constructor
  let down = null

  const toggle = (name, indices) => rows.forEach((row, n) => row.classList.toggle(name, indices.includes(n)))
  function marked() {
    const { indices, multiline_indices } = source.inspected
    return indices.length ? [...indices] : [...(multiline_indices?.keys?.() ?? [])].map(Number)
  }
  function open(row) { if (reports[row]) location.href = reports[row] }

  source.inspect.connect(() => {
    const found = marked()
    toggle('marked', found)
    place.classList.toggle('opens', found.some(row => reports[row]))
  })
  source.selected.properties.indices.change.connect(() => toggle('chosen', source.selected.indices))
  rows.forEach((row, n) => {
    const mark = indices => {
      source.setv({ inspected: new Selection({ indices }) }, { silent: true })
      source.inspect.emit([null, { geometry: { type: 'none' } }]) // no plot shows a tip
    }
    row.addEventListener('pointerenter', () => mark([n]))
    row.addEventListener('pointerleave', () => mark([]))
    row.addEventListener('click', event => { if (!event.target.closest('a')) open(n) })
  })
  place.addEventListener('pointerdown', event => { down = [event.clientX, event.clientY] }, true)
  place.addEventListener('click', event => {
    const dragged = down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4
    if (!dragged && marked().length) open(marked()[0])
  })
})()
