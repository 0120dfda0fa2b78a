// These packages ship as ES modules, which jest has to translate.
const esm = [
  '@jupyterlab', '@jupyter', '@microsoft', '@rjsf', '@codemirror', '@lezer', '@marijn', 'exenv-es6', 'lib0', 'nanoid',
  'vscode-ws-jsonrpc', 'y-protocols', 'y-websocket', 'yjs', 'style-mod', 'w3c-keyname', 'crelt', 'mermaid', 'uuid',
  'marked', 'markdown-to-jsx', 'json5'
].join('|');

module.exports = {
  testEnvironment: 'jsdom',
  testMatch: ['**/src/**/__tests__/*.spec.ts?(x)'],
  setupFiles: ['./jest.setup.js'],
  moduleNameMapper: { '\\.(css|less)$': 'identity-obj-proxy', '\\.svg(\\?.*)?$': '<rootDir>/jest.svg.js' },
  moduleFileExtensions: ['ts', 'tsx', 'js', 'jsx', 'json', 'node'],
  transform: {
    '^.+\\.(m?[jt]sx?)$': [
      'ts-jest',
      {
        diagnostics: false,
        tsconfig: { allowJs: true, isolatedModules: true, module: 'commonjs', target: 'es2022', jsx: 'react', esModuleInterop: true }
      }
    ]
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esm})/)`]
};
