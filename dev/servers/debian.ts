import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findCommand, NotFoundHere } from './search.ts'

/**
 * The mirrors this machine's apt is set to, in its order, from the one-line lists and the deb822 `.sources` files
 * (sources.list(5)), each without a closing slash. `mirror+file:` lists are opened.
 */
export function aptMirrors(etc = '/etc/apt'): string[] {
  const parts = join(etc, 'sources.list.d')
  const names = existsSync(parts) ? readdirSync(parts).sort() : []
  const files = [join(etc, 'sources.list'), ...names.map((name) => join(parts, name))].filter((file) =>
    existsSync(file),
  )
  const uris = files.flatMap((file) => {
    if (file.endsWith('.list')) return urisOfList(readFileSync(file, 'utf8'))
    return file.endsWith('.sources') ? urisOfStanzas(readFileSync(file, 'utf8')) : []
  })
  return [...new Set(uris.flatMap(mirrorUris).map((uri) => uri.replace(/\/+$/, '')))]
}

/** The first of the machine's mirrors that carries this suite. */
export async function findMirror(suite: string, env: NodeJS.ProcessEnv): Promise<string> {
  const mirrors = aptMirrors().filter((uri) => /^https?:/.test(uri))
  for (const mirror of mirrors) {
    const wget = ['-q', '--spider', '--tries=1', '--timeout=5', `${mirror}/dists/${suite}/Release`]
    const carries = await promisify(execFile)('wget', wget, { env }).then(
      () => true,
      () => false,
    )
    if (carries) return mirror
  }
  throw new NotFoundHere(
    `no apt mirror of this machine carries Debian ${suite}: install MongoDB (MONGOMS_SYSTEM_BINARY names its mongod) or set MONGODB_URI`,
  )
}

/** The environment with the proxy that apt is set to use, which debootstrap's downloads do not read by themselves. */
export async function environmentWithAptProxy(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  if (findCommand('apt-config') === null) return env
  const { stdout } = await promisify(execFile)('apt-config', ['dump', '--format', '%f=%v%n', 'Acquire'])
  const valueOf = (key: string): string | undefined => new RegExp(`^${key}=(.+)$`, 'm').exec(stdout)?.[1]
  const http = valueOf('Acquire::http::Proxy')
  const https = valueOf('Acquire::https::Proxy') ?? http
  const isProxy = (value: string | undefined): value is string => value !== undefined && value !== 'DIRECT'
  return { ...env, ...(isProxy(http) && { http_proxy: http }), ...(isProxy(https) && { https_proxy: https }) }
}

/** `deb [options] uri suite component…`, one on a line. */
function urisOfList(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.flatMap((line) => /^deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s/.exec(line)?.[1] ?? [])
}

/** Paragraphs of `Field: value`, where a value may go on in lines that begin with a space. */
function urisOfStanzas(text: string): string[] {
  const without_comments = text.replaceAll(/^#.*\n?/gm, '')
  return without_comments.split(/\n\s*\n/).flatMap((stanza) => {
    const valueOf = (field: string): string[] => {
      const value = new RegExp(`^${field}:((?:.*)(?:\\n[ \\t]+.*)*)`, 'im').exec(stanza)?.[1] ?? ''
      return value.split(/\s+/).filter((word) => word !== '')
    }
    const enabled = !['no', 'false', 'off', '0'].includes(valueOf('Enabled')[0]?.toLowerCase() ?? 'yes')
    return enabled && valueOf('Types').includes('deb') ? valueOf('URIs') : []
  })
}

/** `mirror+file:/path` stands for the addresses in that file, one on a line, options after them. */
function mirrorUris(uri: string): string[] {
  const file = /^mirror\+file:(?:\/\/)?(\/.*)$/.exec(uri)?.[1]
  if (file === undefined) return [uri]
  if (!existsSync(file)) return []
  const words = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
  return words.filter((word) => word !== '' && !word.startsWith('#'))
}
