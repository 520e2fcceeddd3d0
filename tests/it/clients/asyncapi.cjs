// Fails if the AsyncAPI document at the address has errors.
'use strict';

const { Parser } = require('@asyncapi/parser');

const ERROR = 0;

async function main() {
    const response = await fetch(process.argv[2]);
    const diagnostics = await new Parser().validate(await response.text());
    const errors = diagnostics.filter(({ severity }) => severity === ERROR);
    for (const { code, path, message } of errors) {
        console.error(code, path.join('.'), message);
    }
    process.exitCode = errors.length === 0 ? 0 : 1;
}

main();
