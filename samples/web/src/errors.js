// What is thrown for a file that cannot be decoded.

/** A file breaks a rule of docs/format.md. The message says which, what was found and what is allowed. */
export class FormatError extends Error {
    constructor(message) {
        super(message);
        this.name = 'FormatError';
    }
}

/** A file stands for more texels than may be decoded, or than the GPU takes. */
export class LimitError extends Error {
    constructor(message) {
        super(message);
        this.name = 'LimitError';
    }
}
