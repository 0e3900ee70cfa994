import tseslint from 'typescript-eslint'

/** Node and npm modules that must never be reached by code the Temporal sandbox replays. */
const forbiddenInWorkflows = {
  paths: [
    'zod',
    'koa',
    'mongoose',
    'winston',
    'undici',
    'crypto',
    'fs',
    'path',
    'http',
    'https',
    'net',
    'os',
    'timers',
  ],
  patterns: [{ regex: '^node:', message: 'Workflow and domain code runs in a sandbox without Node modules.' }],
}

/** What no file of ours has. */
const forbiddenSyntax = [
  { selector: 'ExportDefaultDeclaration', message: 'No default exports: a name says what it is.' },
  { selector: 'Program > VariableDeclaration[kind="let"]', message: 'No module-level mutable state.' },
]

/** What the API does in one place only, where it is bounded and exact. */
const forbiddenInApi = [
  {
    selector: 'MemberExpression[object.name="ctx"][property.name="query"]',
    message: 'Queries are read by readQuery alone: Koa’s reader takes time by the square of what is sent.',
  },
  { selector: 'NewExpression[callee.name="Router"]', message: 'Routers are made by exactRouter alone.' },
]

/** Nouns that only look like gerunds. */
const nouns = ['ping', 'keyring', 'finding']

/** A file is named for its one thing, never for what is done with it (docs/architecture.md §2). */
const house = {
  rules: {
    'noun-as-file-name': {
      create: (context) => ({
        Program(node) {
          const name = context.filename.replace(/^.*\//, '').replace(/\..*$/, '')
          if (!name.endsWith('ing') || nouns.includes(name)) return
          context.report({ node, message: `A file is one noun, never a gerund: ${name}.` })
        },
      }),
    },
  },
}

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.weft/**'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': ['error', ...forbiddenSyntax],
    },
  },
  { files: ['*/**'], plugins: { house }, rules: { 'house/noun-as-file-name': 'error' } },
  { files: ['*/**'], ignores: ['test/**'], rules: { 'max-lines': ['error', 400] } },
  {
    files: ['domain/**', 'workflows/**'],
    rules: {
      'no-restricted-imports': ['error', forbiddenInWorkflows],
      'no-restricted-globals': ['error', 'process', 'Buffer', 'fetch'],
    },
  },
  {
    files: ['api/**'],
    ignores: ['api/http/router.ts'],
    rules: { 'no-restricted-syntax': ['error', ...forbiddenSyntax, ...forbiddenInApi] },
  },
  {
    files: ['test/**', 'bench/**'],
    rules: { 'max-lines-per-function': 'off', '@typescript-eslint/unbound-method': 'off' },
  },
  { files: ['dev/**', 'cli/**', 'bench/**', 'examples/**'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.config.ts'],
    ...tseslint.configs.disableTypeChecked,
    rules: { ...tseslint.configs.disableTypeChecked.rules, 'no-restricted-syntax': 'off' },
  },
)
