// Values under the pointer and a vertical cursor on the curves over time. A click sets the time of the scene.
(() => {
  const data = JSON.parse(document.getElementById('history-data').textContent)
  const figure = document.getElementById('histories')
  const svg = figure && figure.querySelector('svg')
  if (!svg || !data.time.length) return
  const tip = document.createElement('div')
  tip.className = 'tip'
  tip.hidden = true
  figure.append(tip)
  const [first, last] = [data.time[0], data.time[data.time.length - 1]]
  const panels = [...svg.querySelectorAll('[id^="panel-"]')].map(group => {
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'line')
    line.setAttribute('class', 'cursor')
    group.parentNode.append(line)
    return { box: group.getBBox(), line, ...data.panels[Number(group.id.slice(6))] }
  })
  const text = value => Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(3)

  function at(values, time) {
    let i = data.time.findIndex(each => each >= time)
    if (i <= 0) i = i < 0 ? data.time.length - 1 : 0
    else {
      const f = (time - data.time[i - 1]) / (data.time[i] - data.time[i - 1])
      const [a, b] = [values[i - 1], values[i]]
      if (a !== null && b !== null) return a + f * (b - a)
    }
    return values[i]
  }

  function mark(time) {
    for (const { box, line } of panels) {
      const x = box.x + box.width * (time - first) / (last - first)
      for (const [key, value] of [['x1', x], ['x2', x], ['y1', box.y], ['y2', box.y + box.height]]) line.setAttribute(key, value)
    }
  }

  function under(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse())
    const panel = panels.find(({ box }) => point.x >= box.x - 3 && point.x <= box.x + box.width + 3 &&
      point.y >= box.y - 20 && point.y <= box.y + box.height + 20)
    if (!panel) return null
    const f = Math.min(Math.max((point.x - panel.box.x) / panel.box.width, 0), 1)
    return { panel, time: first + f * (last - first) }
  }

  svg.addEventListener('pointermove', event => {
    const found = under(event)
    tip.hidden = !found
    if (!found) return
    mark(found.time)
    tip.replaceChildren(`${text(found.time)} s`)
    for (const curve of found.panel.curves) {
      const value = at(curve.values, found.time)
      if (value === null) continue
      const row = document.createElement('div')
      const swatch = document.createElement('i')
      swatch.className = 'swatch'
      swatch.style.background = curve.colour
      row.append(swatch, `${curve.label} ${text(value)} ${found.panel.unit}`)
      tip.append(row)
    }
    const frame = figure.getBoundingClientRect()
    const left = event.clientX - frame.left
    tip.style.left = `${Math.min(left + 14, frame.width - tip.offsetWidth - 4)}px`
    tip.style.top = `${event.clientY - frame.top + 16}px`
  })
  svg.addEventListener('pointerleave', () => { tip.hidden = true; mark(shown) })
  svg.addEventListener('click', event => {
    const found = under(event)
    if (found) document.dispatchEvent(new CustomEvent('rfablate-seek', { detail: found.time }))
  })
  let shown = last
  document.addEventListener('rfablate-time', event => { shown = event.detail; mark(shown) })
  window.rfablateReadings = time => data.panels.flatMap(panel => panel.curves.filter(curve => curve.headline)
    .map(curve => [`${panel.title.toLowerCase()}${panel.curves.length > 1 ? `, ${curve.label}` : ''}`, at(curve.values, time), panel.unit])
    .filter(row => row[1] !== null).map(([label, value, unit]) => [label, `${text(value)} ${unit}`]))
})()
