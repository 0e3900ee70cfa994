/**
 * The rooms of docs/architecture.md and what each may import. A room that is not named as an allowed target is
 * forbidden; `^types` marks a target that may be imported for its types only.
 */
const rooms = {
  domain: [],
  workflows: ['domain', 'types:activities'],
  activities: [
    'domain',
    'wechat',
    'store',
    'match',
    'runtime/runs',
    'runtime/address',
    'runtime/logger',
    'runtime/mask',
  ],
  match: ['domain'],
  proof: ['domain', 'store', 'wechat/statement/reader', 'runtime/outage', 'types:runtime'],
  worker: ['domain', 'workflows', 'activities', 'wechat', 'store', 'proof', 'runtime'],
  wechat: ['domain', 'runtime/mask'],
  store: ['domain'],
  api: ['domain', 'wechat', 'store', 'runtime'],
  runtime: ['domain'],
  simulator: ['domain', 'wechat/signature', 'wechat/cipher', 'runtime'],
  web: ['types:api'],
  cli: ['runtime', 'store', 'proof', 'wechat', 'domain', 'types:api', 'api/main', 'worker/main', 'simulator/main'],
}
const anyRoom =
  '^(domain|workflows|activities|worker|wechat|store|match|proof|api|runtime|simulator|web|cli|dev|test|bench)/'

/** One rule per room: reaching any other room than those allowed is an error. */
const boundaries = Object.entries(rooms).flatMap(([room, allowed]) => {
  const full = allowed.filter((target) => !target.startsWith('types:'))
  const typesOnly = allowed
    .filter((target) => target.startsWith('types:'))
    .map((target) => target.slice('types:'.length))
  const reach = (targets) => targets.map((target) => (target.includes('/') ? `^${target}\\.ts$` : `^${target}/`))
  const own = `^${room}/`
  return [
    {
      name: `${room}-imports-only-its-neighbours`,
      severity: 'error',
      from: { path: own },
      to: { path: anyRoom, pathNot: [own, ...reach(full), ...reach(typesOnly)] },
    },
    ...typesOnly.map((target) => ({
      name: `${room}-knows-only-types-of-${target}`,
      severity: 'error',
      from: { path: own },
      to: { path: `^${target}/`, pathNot: [own, ...reach(full)], dependencyTypesNot: ['type-only'] },
    })),
  ]
})

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...boundaries,
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: { path: '^domain/' },
      to: { dependencyTypes: ['npm', 'core', 'npm-dev'] },
    },
    {
      name: 'workflows-know-temporal-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { dependencyTypes: ['npm', 'core', 'npm-dev'], pathNot: 'node_modules/@temporalio/(workflow|common)/' },
    },
    {
      name: 'mongoose-lives-in-store',
      severity: 'error',
      from: { pathNot: '^(store|test|bench)/' },
      to: { path: 'node_modules/(mongoose|mongodb)/' },
    },
    {
      name: 'client-behind-runtime',
      severity: 'error',
      from: { path: '^(activities|proof|worker)/' },
      to: { path: 'node_modules/@temporalio/client/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'api-has-no-worker',
      severity: 'error',
      from: { path: '^(api|runtime)/' },
      to: { path: 'node_modules/@temporalio/(worker|workflow|activity)/' },
    },
    { name: 'nothing-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^dist/|^\\.weft/)' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
