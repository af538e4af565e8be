// The interactive scene: surfaces, clipping plane, slice at any angle and time slider. The library k3d draws it.
(() => {
  const byId = id => document.getElementById(id)
  const settings = JSON.parse(byId('scene-settings').textContent)
  const stage = byId('live')
  let started = false

  async function inflate(id) {
    const text = atob(byId(id).textContent.trim())
    const bytes = Uint8Array.from(text, letter => letter.charCodeAt(0))
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer()
  }

  async function library() {
    const text = new TextDecoder().decode(await inflate('scene-library'))
    let found
    new Function('define', text)((name, needs, make) => { found = make() })
    return found
  }

  function unpack(buffer) {
    const bytes = new Uint8Array(buffer)
    const length = new DataView(buffer).getUint32(0, true)
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
    return { header, data: bytes.subarray(4 + length) }
  }

  // Numbers are stored as differences, all low bytes before all high bytes.
  function numbers(data, start, count) {
    const values = new Uint16Array(count)
    let value = 0
    for (let i = 0; i < count; i++) {
      value = (value + data[start + i] + 256 * data[start + count + i]) & 65535
      values[i] = value
    }
    return values
  }

  function surface(object, number, data) {
    const frame = object.frames[Math.min(number, object.frames.length - 1)]
    if (!frame || !frame[3]) return null
    const packed = numbers(data, frame[0], frame[1]), count = frame[1] / 3
    const points = new Float32Array(frame[1])
    for (let axis = 0; axis < 3; axis++)
      for (let i = 0; i < count; i++) points[3 * i + axis] = object.low[axis] + object.scale[axis] * packed[axis * count + i]
    return { points, triangles: new Uint32Array(numbers(data, frame[2], frame[3])) }
  }

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
  const along = (a, f, b, g) => a.map((x, i) => f * x + g * b[i])
  const unit = a => a.map(x => x / Math.hypot(...a))

  // The range of a difference: a round number on both sides of zero.
  function symmetric(low, high) {
    const most = Math.max(Math.abs(low), Math.abs(high), 0.1), size = 10 ** Math.floor(Math.log10(most))
    const end = [1, 2, 5, 10].find(f => f * size >= most) * size
    return [-end, end]
  }

  class Temperature {
    constructor({ field, low, times }, data) {
      this.field = field
      this.low = low
      this.size = field.shape[0] * field.shape[1] * field.shape[2]
      this.frames = times.map((_, number) => {
        const values = new Uint8Array(this.size)
        let value = 0
        for (let i = 0; i < this.size; i++) values[i] = value = (value + data[field.start + number * this.size + i]) & 255
        return values
      })
    }

    // Trilinear interpolation [degC]; NaN outside the sampled box or the domain.
    at(number, x, y, z) {
      const { shape: [n, m, l], spacing, low, step } = this.field, values = this.frames[number]
      const a = (x - this.low[0]) / spacing, b = (y - this.low[1]) / spacing, c = (z - this.low[2]) / spacing
      const i = Math.floor(a), j = Math.floor(b), k = Math.floor(c)
      if (i < 0 || j < 0 || k < 0 || i > n - 2 || j > m - 2 || k > l - 2) return NaN
      let sum = 0
      for (let corner = 0; corner < 8; corner++) {
        const p = corner & 1, q = corner >> 1 & 1, r = corner >> 2
        const value = values[i + p + n * (j + q + m * (k + r))]
        if (value === 255) return NaN
        sum += value * (p ? a - i : 1 - a + i) * (q ? b - j : 1 - b + j) * (r ? c - k : 1 - c + k)
      }
      return low + step * sum
    }
  }

  async function start() {
    if (started) return
    started = true
    byId('live-open').hidden = true
    try {
      if (!window.DecompressionStream) throw new Error('the browser is older than 2023')
      const [lib, packed] = [await library(), unpack(await inflate('scene-data'))]
      stage.hidden = false
      document.body.classList.add('has-live')
      await show(lib, packed)
      stage.dataset.ready = 'yes'
    } catch (error) {
      stage.hidden = true
      document.body.classList.remove('has-live')
      byId('live-fault').textContent = `The interactive scene cannot be shown: ${error.message}. The picture shows the same objects.`
      byId('live-fault').hidden = false
    }
  }

  async function show(lib, { header, data }) {
    const canvas = document.createElement('canvas')
    if (!canvas.getContext('webgl2')) throw new Error('this browser has no WebGL 2')
    const THREE = lib.ThreeJsProvider.THREE
    const plot = new lib.K3D(lib.ThreeJsProvider, byId('live-view'), {
      menuVisibility: false, gridVisible: false, gridAutoFit: false,
      grid: [...header.low.map((low, i) => 1.5 * low - 0.5 * header.high[i]), ...header.high.map((high, i) => 1.5 * high - 0.5 * header.low[i])], // the library takes the far end of the view from it
      cameraAutoFit: false, clearColor: 0xffffff,
      cameraFov: 24, antialias: 1, lighting: 2, axesHelper: 1, colorbarObjectId: 0,
    })
    const heat = new Temperature(header, data)
    const size = header.high[0] - header.low[0]
    const objects = header.objects.filter(object => object.frames.some(frame => frame[3]))
    const identity = new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    const none = { data: new Float32Array(), shape: [0] }
    await plot.load({
      objects: objects.map((object, i) => {
        const number = object.frames.findLastIndex(frame => frame[3])
        const { points, triangles } = surface(object, number, data)
        object.id = i + 1
        return {
          id: object.id, type: 'Mesh', visible: true, color: parseInt(object.colour.slice(1), 16), opacity: object.opacity,
          flat_shading: false, side: 'double', wireframe: false, shininess: 30, name: object.label, slice_planes: [],
          vertices: { data: points, shape: [points.length / 3, 3] },
          indices: { data: triangles, shape: [triangles.length / 3, 3] },
          model_matrix: { data: identity, shape: [4, 4] }, attribute: none, triangles_attribute: none, color_map: none,
          color_range: [], normals: none, uvs: none, colors: none,
        }
      }),
    })
    const world = plot.getWorld()
    for (const object of objects) {
      object.mesh = plot.getObjectById(object.id)
      object.made = new Map()
      object.current = null
      object.mesh.renderOrder = { applicator: 0, structure: 3, isotherm: 2, lesion: 1 }[object.kind]
    }

    const axis = unit(header.axis)
    const side = unit(along([0, 1, 2].map(i => Number(i === axis.map(Math.abs).indexOf(Math.min(...axis.map(Math.abs))))), 1, axis, 0))
    const across = unit(cross(axis, side)), beside = cross(across, axis)
    const centre = header.low.map((low, i) => (low + header.high[i]) / 2)
    const home = () => {
      const view = unit([0, 1, 2].map(i => 0.62 * beside[i] - 0.78 * across[i] + 0.42 * axis[i]))
      plot.setCamera([...along(centre, 1, view, 3.3 * size), ...centre, ...axis])
      plot.render()
    }

    // ---- the plane of the slice ----
    const PIXELS = 300
    const base = document.createElement('canvas')
    base.width = base.height = PIXELS
    const pen = base.getContext('2d', { willReadFrequently: true })
    const colours = settings.colours.map(colour => [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16)))
    const top = heat.field.low + 254 * heat.field.step
    const [coldest, hottest] = settings.symmetric ? symmetric(heat.field.low, top)
      : [Math.floor(heat.field.low + 0.2), Math.max(5 * Math.ceil(top / 5), Math.floor(heat.field.low) + 5)]
    const texture = new THREE.CanvasTexture(base)
    const sheet = new THREE.Mesh(new THREE.PlaneGeometry(size, size),
      new THREE.MeshBasicMaterial({ map: texture, side: THREE.DoubleSide }))
    sheet.visible = false
    world.K3DObjects.add(sheet)
    let now = header.times.length - 1
    const plane = {}

    function place() {
      const turn = byId('live-turn').value * Math.PI / 180, tilt = byId('live-tilt').value * Math.PI / 180
      const flat = along(beside, -Math.sin(turn), across, Math.cos(turn))
      plane.n = along(flat, Math.cos(tilt), axis, Math.sin(tilt))
      plane.v = along(axis, Math.cos(tilt), flat, -Math.sin(tilt))
      plane.u = cross(plane.v, plane.n)
      const middle = along(centre, 1, plane.n, dot(header.through, plane.n) - dot(centre, plane.n))
      plane.o = along(middle, 1, plane.n, byId('live-offset').value * size / 200)
      sheet.matrixAutoUpdate = false
      const [u, v, n, o] = [plane.u, plane.v, plane.n, plane.o]
      sheet.matrix.set(u[0], v[0], n[0], o[0], u[1], v[1], n[1], o[1], u[2], v[2], n[2], o[2], 0, 0, 0, 1)
      sheet.matrixWorldNeedsUpdate = true
      byId('live-offset-text').textContent = `${(byId('live-offset').value * size / 200).toFixed(1)} mm`
      byId('live-turn-text').textContent = `${byId('live-turn').value}°`
      byId('live-tilt-text').textContent = `${byId('live-tilt').value}°`
      const cut = byId('live-cut').checked
      plot.setClippingPlanes(cut ? [[...plane.n.map(x => -x), dot(plane.n, plane.o) + 0.002 * size]] : [])
    }

    function heatColour(value) {
      const f = Math.min(Math.max((value - coldest) / (hottest - coldest), 0), 1) * (colours.length - 1)
      const i = Math.min(Math.floor(f), colours.length - 2)
      return colours[i].map((x, c) => x + (f - i) * (colours[i + 1][c] - x))
    }

    const spot = (column, row) => {
      const a = ((column + 0.5) / PIXELS - 0.5) * size, b = (0.5 - (row + 0.5) / PIXELS) * size
      return plane.o.map((x, i) => x + a * plane.u[i] + b * plane.v[i])
    }

    function paint() {
      const values = new Float32Array(PIXELS * PIXELS), image = pen.createImageData(PIXELS, PIXELS)
      for (let row = 0, i = 0; row < PIXELS; row++)
        for (let column = 0; column < PIXELS; column++, i++) values[i] = heat.at(now, ...spot(column, row))
      for (let i = 0; i < values.length; i++) {
        let colour = Number.isNaN(values[i]) ? [245, 246, 248] : heatColour(values[i])
        const right = values[i + 1], below = values[i + PIXELS]
        if (settings.isotherms.some(level => (values[i] - level) * (right - level) < 0 || (values[i] - level) * (below - level) < 0)) colour = [58, 36, 48]
        image.data.set([...colour, 255], 4 * i)
      }
      pen.putImageData(image, 0, 0)
      for (const object of objects) if (object.mesh.visible) outline(object)
      texture.needsUpdate = true
      const seen = byId('live-slice').getContext('2d'), wide = byId('live-slice').width
      seen.drawImage(base, 0, 0, wide, wide)
      const bar = [1, 2, 5, 10, 20, 50].find(mm => mm >= 0.12 * size) || 50, length = bar / size * wide
      seen.fillStyle = seen.strokeStyle = '#1c2430'
      seen.font = `${wide / 28}px sans-serif`
      seen.textAlign = 'center'
      seen.fillRect(0.96 * wide - length, 0.955 * wide, length, 2)
      seen.fillText(`${bar} mm`, 0.96 * wide - length / 2, 0.94 * wide)
    }

    function outline(object) {
      const shape = object.current && object.current.shape
      if (!shape) return
      const { points, triangles } = shape, { o, u, v, n } = plane, level = dot(o, n)
      pen.beginPath()
      const height = i => points[3 * i] * n[0] + points[3 * i + 1] * n[1] + points[3 * i + 2] * n[2] - level
      const coordinates = p => [((dot(p, u) - dot(o, u)) / size + 0.5) * PIXELS, (0.5 - (dot(p, v) - dot(o, v)) / size) * PIXELS]
      for (let t = 0; t < triangles.length; t += 3) {
        const ends = []
        for (let e = 0; e < 3; e++) {
          const a = triangles[t + e], b = triangles[t + (e + 1) % 3], p = height(a), q = height(b)
          if ((p < 0) === (q < 0)) continue
          const f = p / (p - q)
          ends.push(coordinates([0, 1, 2].map(i => points[3 * a + i] + f * (points[3 * b + i] - points[3 * a + i]))))
        }
        if (ends.length === 2) { pen.moveTo(...ends[0]); pen.lineTo(...ends[1]) }
      }
      const thin = object.kind === 'isotherm' ? 1 : 1.8
      for (const [colour, width] of [['rgba(255,255,255,.8)', thin + 1.6], [object.kind === 'applicator' ? '#1c2430' : object.kind === 'lesion' && settings.outline ? settings.outline : object.colour, thin]]) {
        pen.strokeStyle = colour
        pen.lineWidth = width
        pen.stroke()
      }
    }

    // ---- time ----
    function geometry(object, number) {
      const key = Math.min(number, object.frames.length - 1)
      if (!object.made.has(key)) {
        const shape = surface(object, key, data)
        let made = null
        if (shape) {
          made = new THREE.BufferGeometry()
          made.setAttribute('position', new THREE.BufferAttribute(shape.points, 3))
          made.setIndex(new THREE.BufferAttribute(shape.triangles, 1))
          made.computeVertexNormals()
          made.computeBoundingSphere()
        }
        object.made.set(key, { made, shape })
      }
      return object.made.get(key)
    }

    function refresh() {
      for (const object of objects) {
        object.current = geometry(object, now)
        if (object.current.made) object.mesh.geometry = object.current.made
        object.mesh.visible = Boolean(object.current.made) && object.box.checked
        object.mesh.material.opacity = Number(object.fader.value) / 100
        object.mesh.material.transparent = object.fader.value < 100
        object.mesh.material.depthWrite = object.fader.value >= 100
        object.mesh.material.needsUpdate = true
      }
      sheet.visible = byId('live-sheet').checked
      paint()
      plot.render()
    }

    function seek(number) {
      now = number
      byId('live-time').value = number
      byId('live-time-text').textContent = `${Number(header.times[number].toPrecision(4))} s`
      const rows = window.rfablateReadings ? window.rfablateReadings(header.times[number]) : []
      byId('live-readings').replaceChildren(...rows.flatMap(([label, value]) => {
        const cell = document.createElement('span'), strong = document.createElement('b')
        strong.textContent = value
        cell.append(`${label} `, strong)
        return [cell]
      }))
      document.dispatchEvent(new CustomEvent('rfablate-time', { detail: header.times[number] }))
      refresh()
    }

    // ---- legend and controls ----
    const names = { lesion: 'Lesion', isotherm: 'Temperature', structure: 'Structures', applicator: 'Applicator' }
    for (const kind of ['lesion', 'structure', 'applicator', 'isotherm']) {
      const kept = header.objects.filter(object => object.kind === kind)
      if (!kept.length) continue
      const group = document.createElement('fieldset'), legend = document.createElement('legend')
      legend.textContent = names[kind]
      group.append(legend)
      for (const object of kept) {
        const row = document.createElement('label'), swatch = document.createElement('i')
        const box = document.createElement('input'), fader = document.createElement('input')
        box.type = 'checkbox'
        box.checked = object.shown
        fader.type = 'range'
        fader.min = 5
        fader.max = 100
        fader.value = Math.round(100 * object.opacity)
        fader.title = 'opacity'
        fader.setAttribute('aria-label', `opacity of ${object.label}`)
        swatch.className = 'swatch'
        swatch.style.background = object.colour
        row.append(box, swatch, object.label)
        if (!object.id) {
          box.checked = false
          box.disabled = fader.disabled = true
          row.append(' (not reached)')
        }
        Object.assign(object, { box, fader })
        for (const input of [box, fader]) input.addEventListener('input', refresh)
        const line = document.createElement('div')
        line.className = 'entry'
        line.append(row, fader)
        group.append(line)
      }
      byId('live-legend').append(group)
    }
    if (header.times.length < header.frames_in_file)
      byId('live-frames').textContent = `The slider has ${header.times.length} of the ${header.frames_in_file} frames of the run.`
    byId('live-time').max = header.times.length - 1
    byId('live-time').addEventListener('input', event => seek(Number(event.target.value)))
    document.addEventListener('rfablate-seek', event => {
      const away = header.times.map(time => Math.abs(time - event.detail))
      seek(away.indexOf(Math.min(...away)))
    })
    for (const id of ['live-turn', 'live-tilt', 'live-offset', 'live-cut', 'live-sheet'])
      byId(id).addEventListener('input', () => { place(); refresh() })
    byId('live-home').addEventListener('click', home)
    let playing = 0
    byId('live-play').addEventListener('click', () => {
      if (playing) clearInterval(playing)
      playing = playing ? 0 : setInterval(() => seek((now + 1) % header.times.length), 600)
      byId('live-play').textContent = playing ? 'Pause' : 'Play'
    })
    byId('live-scale').style.background = `linear-gradient(to right,${settings.colours.join(',')})`
    byId('live-coldest').textContent = `${coldest} ${settings.unit}`
    byId('live-hottest').textContent = `${hottest} ${settings.unit}`

    // ---- values under the pointer ----
    const tip = byId('live-tip'), ray = new THREE.Raycaster()
    const say = (event, text, frame) => {
      tip.hidden = !text
      tip.textContent = text
      const box = frame.getBoundingClientRect(), own = stage.getBoundingClientRect()
      tip.style.left = `${Math.min(event.clientX - own.left + 14, own.width - tip.offsetWidth - 4)}px`
      tip.style.top = `${Math.min(event.clientY, box.bottom) - own.top + 14}px`
    }
    const words = (label, p) => {
      const value = heat.at(now, ...p)
      const place = p.map(x => x.toFixed(1).replace('-', '−')).join(', ')
      return `${label}${label ? '\n' : ''}${Number.isNaN(value) ? '' : `${value.toFixed(1)} ${settings.unit} at `}(${place}) mm`
    }
    byId('live-view').addEventListener('pointermove', event => {
      if (event.buttons) { tip.hidden = true; return }
      const box = byId('live-view').getBoundingClientRect()
      const at = new THREE.Vector2(2 * (event.clientX - box.left) / box.width - 1, 1 - 2 * (event.clientY - box.top) / box.height)
      ray.setFromCamera(at, world.camera)
      const meshes = [...objects.map(object => object.mesh), sheet].filter(mesh => mesh.visible)
      const cut = byId('live-cut').checked
      const hit = ray.intersectObjects(meshes, false).find(({ point: { x, y, z } }) =>
        !cut || dot(plane.n, [x, y, z]) <= dot(plane.n, plane.o) + 0.003 * size)
      if (!hit) { tip.hidden = true; return }
      const object = objects.find(each => each.mesh === hit.object)
      say(event, words(object ? object.label : 'slice', hit.point.toArray()), byId('live-view'))
    })
    byId('live-view').addEventListener('pointerleave', () => { tip.hidden = true })
    byId('live-slice').addEventListener('pointermove', event => {
      const box = byId('live-slice').getBoundingClientRect()
      const [column, row] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map(f => f * PIXELS - 0.5)
      say(event, words('', spot(column, row)), byId('live-slice'))
    })
    byId('live-slice').addEventListener('pointerleave', () => { tip.hidden = true })

    place()
    home()
    seek(header.times.length - 1)
    await new Promise(done => setTimeout(done, 60)) // the library sets its own camera once more
    home()
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
  }

  byId('live-open').addEventListener('click', start)
  byId('live-open').hidden = false
  if (window.matchMedia('(min-width: 760px)').matches && window.IntersectionObserver) {
    const watch = new IntersectionObserver(entries => {
      if (entries.some(entry => entry.isIntersecting)) { watch.disconnect(); start() }
    }, { rootMargin: '500px' })
    watch.observe(byId('live-place'))
  }
})()
