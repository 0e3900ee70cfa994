/** The names that a column has had: of each layout its own, in WeChat Pay's words (docs/wechat-pay.md §5.2, §5.3). */
export type ColumnNames<K extends string> = Readonly<Record<K, readonly string[]>>

/** Where the columns of one file stand, by its own header; -1: it has none of that name. */
export type ColumnPlaces<K extends string> = Readonly<Record<K, number>>

/** Header is the line that names the columns, of the rows or of the sums, as one file has it. */
export interface Header<K extends string> {
  /** of each cell, in the file's order; null: a name that is not known, or that stands there twice */
  keys: (K | null)[]
  places: ColumnPlaces<K>
  unknown: string[]
  doubled: string[]
}

/** Reads a line of names; null when its first cell, or with `anywhere` none of its cells, is one of `columns`. */
export function readHeader<K extends string>(
  line: string,
  columns: ColumnNames<K>,
  where: 'first' | 'anywhere',
): Header<K> | null {
  const names = line.split(',').map(plainName)
  const found = names.map((name) => keyOf(name, columns))
  if (where === 'first' ? found[0] === null : found.every((key) => key === null)) return null
  const isDoubled = (key: K | null) => key !== null && found.indexOf(key) !== found.lastIndexOf(key)
  const keys = found.map((key) => (isDoubled(key) ? null : key))
  const places = Object.fromEntries(namesOf(columns).map((key) => [key, keys.indexOf(key)])) as Record<K, number>
  return {
    keys,
    places,
    unknown: names.filter((_, at) => found[at] === null),
    doubled: names.filter((_, at) => isDoubled(found[at] ?? null)),
  }
}

/** The keys of a table of columns, in its order. */
export function namesOf<K extends string>(columns: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(columns) as K[]
}

function keyOf<K extends string>(name: string, columns: ColumnNames<K>): K | null {
  return namesOf(columns).find((key) => columns[key].includes(name)) ?? null
}

/** Without the unit, whose brackets are full-width in some files. */
function plainName(cell: string): string {
  return cell.trim().replace(/[(（]元[)）]$/, '')
}
