import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib/', 'node_modules/', 'src/api/schema.ts'] },
  ...tseslint.configs.recommended,
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    plugins: { 'react-hooks': hooks },
    languageOptions: { parserOptions: { project: './tsconfig.test.json' } },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-lines': ['error', { max: 400 }],
      // What hosts print is shown as text, never as markup.
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Make text nodes: hosts are not trusted with markup.' },
        { property: 'outerHTML', message: 'Make text nodes: hosts are not trusted with markup.' },
        { property: 'insertAdjacentHTML', message: 'Make text nodes: hosts are not trusted with markup.' },
        { property: 'dangerouslySetInnerHTML', message: 'Make text nodes: hosts are not trusted with markup.' }
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: 'Hosts are not trusted with markup.' }
      ]
    }
  }
);
