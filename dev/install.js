// Installs the packages when they are missing or older than package-lock.json. Plain Node without packages: it runs
// before there are any, at the beginning of every npm script that needs them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('..', import.meta.url))
const wanted = `${here}package-lock.json`
/** npm's own note of what lies in node_modules. */
const installed = `${here}node_modules/.package-lock.json`
/** What @temporalio and vitest run on; package.json's `engines` says the same. */
const oldest_node = [20, 19]

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < oldest_node[0] || (major === oldest_node[0] && minor < oldest_node[1])) {
  stop(`Weft needs Node ${oldest_node.join('.')} or newer, and this is ${process.versions.node}: install a newer one`)
}
if (!isUpToDate()) alone(() => isUpToDate() || install())

/** A newer lock file is not yet another one: a checkout touches it too, so then its packages are compared. */
function isUpToDate() {
  if (!existsSync(installed)) return false
  if (statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return true
  const there = packagesIn(installed)
  return Object.entries(packagesIn(wanted)).every(([path, { version, optional, peer }]) => {
    if (path === '' || (there[path] === undefined && (optional || peer))) return true
    return there[path]?.version === version
  })
}

function packagesIn(lock) {
  return JSON.parse(readFileSync(lock, 'utf8')).packages
}

/** Two commands begun at once must not both fill node_modules: the second waits, and finds it filled. */
function alone(work) {
  const lock = `${here}.weft/install.pid`
  mkdirSync(`${here}.weft`, { recursive: true, mode: 0o700 })
  for (let tries = 0; !claim(lock); tries += 1) {
    if (tries === 0) process.stdout.write('Packages: another command is installing them, waiting for that one\n')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
  }
  process.on('exit', () => rmSync(lock, { force: true }))
  work()
}

function claim(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (!isOwned(lock)) rmSync(lock, { force: true })
    return false
  }
}

function isOwned(lock) {
  try {
    const owner = Number(readFileSync(lock, 'utf8'))
    if (owner === 0) return Date.now() - statSync(lock).mtimeMs < 5_000 // its owner is about to write its number
    return process.kill(owner, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function install() {
  process.stdout.write('Packages: installing with npm ci, about 1 min, first start only\n')
  const began = Date.now()
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm']
  const [command, ...rest] = [...npm, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  // npm's complaint ends with pages of usage: its first lines say what is wrong.
  const { status, signal, error, stderr } = spawnSync(command, rest, {
    cwd: here,
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  if (status === 0) return process.stdout.write(`Packages: ready after ${Math.round((Date.now() - began) / 1000)} s\n`)
  if (signal !== null) process.exit(130)
  const said = error ? error.message : firstWords(stderr.toString())
  stop(
    `npm ci failed: ${said || `status ${status}`}; mend that and start again, or run npm ci by hand to see all of it`,
  )
}

function firstWords(output) {
  const lines = output.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
  return lines
    .filter((line) => line !== '' && !line.startsWith('npm warn'))
    .slice(0, 3)
    .join(' | ')
}

/** @returns {never} */
function stop(line) {
  process.stderr.write(`${line}\n`)
  process.exit(1)
}
