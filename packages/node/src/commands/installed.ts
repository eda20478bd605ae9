import { readdir } from "node:fs/promises";
import path from "node:path";
import { families, openPackage } from "@foldmark/workloads";
import type { NodeConfig } from "../config.ts";
import type { Home } from "../home.ts";

export type InstalledPackage = {
  name: string;
  kind: "chat" | "simulation";
  asset: string;
  licence: string;
  sizeBytes: number;
  folder: string;
  isServed: boolean;
};

/** Every package in the home folder, and those that the settings name elsewhere. @throws `package.*` */
export async function installedPackages({ packages }: Home, { models }: NodeConfig): Promise<InstalledPackage[]> {
  const names = await readdir(packages).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const own = names
    .filter((name) => !name.endsWith(".part") && !name.startsWith("."))
    .map((name) => path.join(packages, name));
  const folders = [...new Set([...models, ...own])];
  return Promise.all(
    folders.map(async (folder) => {
      const { manifest, assetId: asset, sizeBytes } = await openPackage(folder, { families, verify: "sizes" });
      const { name, kind, licence } = manifest;
      return { name, kind, asset, licence, sizeBytes, folder, isServed: models.includes(folder) };
    }),
  );
}

/** The folder of an installed package, by its own name or its folder's; else what was given is a folder itself. */
export function folderNamed(name: string, installed: readonly { name: string; folder: string }[]): string {
  return installed.find((model) => model.name === name || path.basename(model.folder) === name)?.folder ?? name;
}
