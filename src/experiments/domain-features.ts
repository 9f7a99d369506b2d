import { basename } from 'node:path';
import { cacheFolder } from '../metrics/features/cache-folder.ts';
import type { FeatureNetwork } from '../metrics/features/feature-network.ts';
import { openClassification } from './classification.ts';
import { hashOfParameters } from './domain-cache.ts';
import { type DomainClassifier, type DomainOptions, domainClassifier } from './domain-classifier.ts';

/** Features of the classifier of a data set's labels. */
export interface DomainFeatures extends FeatureNetwork {
  /** Probabilities of `trained.classes`, float32 [count, classes]. */
  readonly classify: NonNullable<FeatureNetwork['classify']>;
  /** The classifier, its accuracy with what that rests on, and where it came from. */
  readonly trained: DomainClassifier;
}

/** The classifier as conventions name it, with the accuracy that bounds what it can say of generated images. */
function nameOf({ data, attribute, classifier, facts, measuredOn }: DomainClassifier): string {
  const { accuracy, standardError, heldOutCount } = facts;
  const measured = `accuracy ${accuracy.toFixed(4)} (standard error ${standardError.toFixed(4)}) on ${heldOutCount}`;
  return `domain ${basename(data)}:${attribute} ${classifier.name} ${measured} images, ${measuredOn}`;
}

/**
 * Features `domain`: the last layer but one of a small classifier that is trained on the labels of a data set, in less than a minute on two
 * cores where nothing else runs, and kept in the user's cache. The same options give the same bits on the same machine with the same
 * number of threads; the hash says which parameters they were. `release` leaves the runtime open.
 * @param options  `folder` defaults to `features` in the user's cache folder; `null` keeps nothing.
 * @throws as `domainClassifier` does.
 */
export async function openDomainFeatures(
  options: Omit<DomainOptions, 'folder'> & Partial<Pick<DomainOptions, 'folder'>>,
): Promise<DomainFeatures> {
  const { folder = `${cacheFolder()}/features` } = options;
  const trained = await domainClassifier({ ...options, folder });
  const { features, probabilities, release } = openClassification(options.runtime, trained);
  return {
    network: nameOf(trained),
    hash: hashOfParameters(trained.parameters).slice(0, 16),
    dimensions: trained.classifier.features,
    extract: features,
    classify: probabilities,
    release,
    trained,
  };
}
