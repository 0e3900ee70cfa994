import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'

/** A file that pages load: `address` changes with its content, so that browsers may keep it for ever. */
export interface Asset {
  name: string
  address: string
  /** what of its address changes with its content */
  version: string
  type: string
  content: Buffer
  /** the scripts that it imports, and those that they import, each once */
  imports: Asset[]
}

const asset_path = 'assets/'
const content_types = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' } as const

/** Where web/ is: two folders up in the sources, three in the compiled build, which lies in dist/. */
const asset_folders = [new URL('../../web/', import.meta.url), new URL('../../../web/', import.meta.url)]

type AssetName = `${string}.${keyof typeof content_types}`

/**
 * Reads a file of web/, and what it imports: those names get their versions too, so that no browser puts an old script
 * beside a new one. Throws when one is missing: a process that would serve broken pages does not start. `name` is one of
 * ours, never from outside.
 */
export function readAsset(name: AssetName): Asset {
  const found = asset_folders.map((folder) => new URL(name, folder)).find((url) => existsSync(url))
  if (!found) throw new Error(`web/${name} is missing: it belongs beside the API’s code`)
  const imports = new Map<string, Asset>()
  const text = readFileSync(found, 'utf8').replaceAll(/from '\.\/([a-z]+\.js)'/g, (_, imported: string) => {
    const asset = readAsset(imported as AssetName)
    for (const each of [asset, ...asset.imports]) imports.set(each.name, each)
    return `from './${asset.address.slice(asset_path.length)}'`
  })
  const content = Buffer.from(text)
  const version = createHash('sha256').update(content).digest('hex').slice(0, 12)
  return {
    name,
    address: `${asset_path}${name}?v=${version}`,
    version,
    type: name.endsWith('.css') ? content_types.css : content_types.js,
    content,
    imports: [...imports.values()],
  }
}
